"""Particles that share the noise of the measurement: Gaussians and weights in closed form."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from invscore import reconstruct, simulate
from invscore.batches import PerImage
from invscore.exact import exact_posterior
from invscore.likelihood import GaussianNoise, InverseProblem
from invscore.methods.auto import resolve
from invscore.methods.particles.pinned import Pinned
from invscore.operators import Inpainting, LinearOperator, from_matrix
from invscore.priors import (
    GaussianMixturePrior,
    GaussianPrior,
    Prior,
    StationaryGaussianPrior,
)

F64 = torch.float64
NUMBERS, MEASURED = 160, 100


class White(Prior):
    """A prior of which nothing but its denoiser is known."""

    def __init__(self, prior: Prior) -> None:
        self._denoise, self.mean, self.variance = prior.denoise, prior.mean, prior.variance

    def denoise(self, x: Tensor, sigma: PerImage) -> Tensor:
        return self._denoise(x, sigma)


def draw(problem: InverseProblem, prior: Prior, **options: Any) -> Tensor:
    chosen = {"samples": 400, "particles": 400, "at_once": 400, **options}
    return reconstruct(problem, prior, method="pinned_smc", scale=1.0, **chosen).samples[:, 0]


def measured_part(scale: float = 1.0) -> LinearOperator:
    return from_matrix(scale * torch.eye(NUMBERS, dtype=F64)[:MEASURED])


def test_gaussian_posterior() -> None:
    """Means and deviations of measured and of hidden numbers, singular values other than 1."""
    prior = GaussianPrior(torch.linspace(-1, 1, NUMBERS, dtype=F64), 0.25)
    operator = measured_part(2.0)
    y = simulate(operator, prior.sample(1, 3), GaussianNoise(0.6), 4)
    problem = InverseProblem(operator, y, GaussianNoise(0.6))
    exact = exact_posterior(problem, prior)
    x = draw(problem, White(prior), steps=40)
    away = (x.mean(dim=0) - exact.mean) / exact.std
    assert away.square().mean().sqrt() < 1.3 / 400**0.5
    wide = x.std(dim=0) / exact.std
    assert wide[:MEASURED].mean() == pytest.approx(1.0, abs=0.03)
    assert wide[MEASURED:].mean() == pytest.approx(1.0, abs=0.03)


def weights_of(seed: int, apart: float) -> tuple[Tensor, Tensor]:
    """Shares of three modes in samples, and the true ones. The modes differ in all that is hidden,
    and by ``apart`` in what is measured."""
    generator = torch.Generator().manual_seed(seed)
    means = torch.randn(3, NUMBERS, generator=generator, dtype=F64)
    means[:, :MEASURED] = means[:1, :MEASURED] + apart * torch.randn(
        3, MEASURED, generator=generator, dtype=F64
    )
    prior = GaussianMixturePrior(means, 0.09, torch.tensor([0.6, 0.3, 0.1], dtype=F64))
    operator = measured_part()
    y = simulate(operator, prior.sample(1, seed), GaussianNoise(0.1), seed)
    problem = InverseProblem(operator, y, GaussianNoise(0.1))
    exact = exact_posterior(problem, prior)
    return prior.responsibilities(draw(problem, White(prior)), 0.0).mean(dim=0), exact.weights


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_weights_of_hidden_modes(seed: int) -> None:
    found, true = weights_of(seed, 0.0)
    assert (found - true).abs().sum() / 2 < 0.08


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_weights_that_the_measurement_changes(seed: int) -> None:
    """By several nats in all, none of which one measured number has."""
    found, true = weights_of(seed, 0.04)
    prior = torch.tensor([0.6, 0.3, 0.1], dtype=F64)
    assert (prior - true).abs().sum() / 2 > 0.1
    assert (found - true).abs().sum() / 2 < 0.1


def test_path_is_noise_on_the_measurement() -> None:
    """From u up to a level and down again: variance above that of u, none at its own level."""
    problem = InverseProblem(
        from_matrix(torch.diag(torch.tensor([1.0, 2.0, 0.0], dtype=F64))),
        torch.tensor([[0.5, 1.0, 0.0]], dtype=F64).expand(20000, 3),
        GaussianNoise(1.0),
    )
    pinned = Pinned.of(problem, 1)
    generator = torch.Generator().manual_seed(0)

    def noise() -> Tensor:
        return torch.randn(20000, 3, generator=generator, dtype=F64)

    pinned.follow(math.inf, 3.0, noise())
    torch.testing.assert_close(
        pinned.path.var(dim=0).sort().values,
        torch.tensor([0.0, 8.0, 8.75], dtype=F64),
        rtol=0.03,
        atol=0.0,
    )
    above = pinned.path
    pinned.follow(3.0, 0.8, noise())
    # Measured with deviations of 1 and 1/2: the first path has ended, the second goes on.
    torch.testing.assert_close(
        pinned.path.var(dim=0).sort().values,
        torch.tensor([0.0, 0.0, 0.39], dtype=F64),
        rtol=0.03,
        atol=1e-12,
    )
    place = int(pinned.path.var(dim=0).argmax())
    steps = (above - pinned.path)[:, place]
    assert float(steps.var()) == pytest.approx(9 - 0.64, rel=0.03)  # independent increments


def test_told_by_a_step_down_the_path() -> None:
    """Two Gaussians multiplied: the state at sigma, and u at its own level."""
    operator = from_matrix(torch.eye(2, dtype=F64))
    problem = InverseProblem(operator, torch.tensor([[1.0, -1.0]], dtype=F64), GaussianNoise(0.5))
    pinned = Pinned.of(problem, 1)
    x = torch.tensor([[3.0, 0.0]], dtype=F64)
    pinned.follow(math.inf, 2.0, torch.zeros(1, 2, dtype=F64))
    pinned.follow(2.0, 0.0, torch.zeros(1, 2, dtype=F64))
    told = pinned.told(x, 2.0, 0.0)
    precision = told.precision + 1 / 4
    torch.testing.assert_close(precision, torch.full((1, 2), 4.0, dtype=F64))
    mean = (told.precision * told.u + pinned.basis.vh(x) / 4) / precision
    torch.testing.assert_close(pinned.basis.v(mean), problem.y)


def test_a_set_that_collapses_is_given_up() -> None:
    """A field whose measured pixels tell the others: marginals as by `matched_spectrum`."""
    radius = (torch.fft.fftfreq(16)[:, None] ** 2 + torch.fft.fftfreq(16) ** 2).sqrt()
    power = radius.clamp_min(1 / 16).double()[None] ** -2
    field = StationaryGaussianPrior(torch.zeros(1, 16, 16, dtype=F64), power / power.mean())
    operator = Inpainting.random((1, 16, 16), keep=0.4, seed=1)
    y = simulate(operator, field.sample(1, 0), GaussianNoise(0.1), 0)
    problem = InverseProblem(operator, y, GaussianNoise(0.1))
    exact = exact_posterior(problem, field)
    options: dict[str, Any] = {"method": "pinned_smc", "samples": 100, "scale": 1.0}
    result = reconstruct(problem, White(field), **options)
    away = (result.samples[:, 0].mean(dim=0) - exact.mean) / exact.std
    assert away.square().mean().sqrt() < 2 / 100**0.5
    assert result.warnings == ()


class Watched(White):
    """A denoiser that remembers the levels at which it is evaluated."""

    def __init__(self, prior: Prior) -> None:
        super().__init__(prior)
        self.levels: list[float] = []

    def denoise(self, x: Tensor, sigma: PerImage) -> Tensor:
        self.levels.append(float(sigma))
        return super().denoise(x, sigma)


@pytest.mark.parametrize(
    ("keep", "noise", "seed", "evaluations"), [(0.4, 0.5, 1, 9), (0.7, 0.1, 0, 17)]
)
def test_sets_below_a_tenth_are_given_up(
    keep: float, noise: float, seed: int, evaluations: int
) -> None:
    """Effective sizes of 0.11 and 0.093 of the particles, of sets that begin at 60 deviations."""
    shape = (1, 16, 16)
    field = StationaryGaussianPrior.power_law(shape, variance=1.0, dtype=F64)
    operator = Inpainting.random(shape, keep=keep, seed=1)
    y = simulate(operator, field.sample(1, seed), GaussianNoise(noise), 0)
    prior = Watched(field)
    draw(
        InverseProblem(operator, y, GaussianNoise(noise)), prior, samples=50, particles=50, steps=8
    )
    assert len(prior.levels) == evaluations
    assert prior.levels[0] == pytest.approx(60.0)


def test_auto_takes_it_for_closed_forms_alone() -> None:
    prior = White(GaussianPrior(torch.zeros(1, 16, 16, dtype=F64), 0.25))
    operator = Inpainting.random((1, 16, 16), keep=0.5)
    problem = InverseProblem(operator, torch.zeros(1, 1, 16, 16, dtype=F64), GaussianNoise(0.1))
    options = {"steps": None, "particles": 50}
    info, chosen = resolve(problem, prior, options)
    assert (info.name, chosen["particles"], chosen["steps"]) == ("pinned_smc", 50, 20)
    prior.sigma_max = 50.0
    assert resolve(problem, prior, options)[0].name == "matched_spectrum"


@pytest.mark.parametrize(("side", "taken"), [(32, "pinned_smc"), (33, "matched_spectrum")])
def test_images_of_more_than_a_thousand_numbers_get_no_particles(side: int, taken: str) -> None:
    """A hundred a sample would take too long there."""
    shape = (1, side, side)
    prior = White(StationaryGaussianPrior.power_law(shape, dtype=F64))
    operator = Inpainting.random(shape, 0.5)
    problem = InverseProblem(operator, torch.zeros(1, *shape, dtype=F64), GaussianNoise(0.1))
    assert resolve(problem, prior, {"steps": None, "particles": 4})[0].name == taken
