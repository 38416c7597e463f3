"""Particles that share a Jacobian: closed forms, and posteriors of many measured numbers."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import pytest
import torch
from torch import Tensor

from invscore import reconstruct, simulate
from invscore.batches import PerImage
from invscore.exact import exact_posterior
from invscore.likelihood import GaussianNoise, InverseProblem, PoissonNoise
from invscore.methods.auto import resolve
from invscore.methods.particles.local_gaussian import LocalGaussian
from invscore.methods.particles.looking_together import Together
from invscore.methods.particles.low_rank import LowRank
from invscore.operators import Blur, Identity, Inpainting, from_matrix
from invscore.priors import GaussianMixturePrior, GaussianPrior, Prior, StationaryGaussianPrior

F64 = torch.float64
MATCHED_SMC = import_module("invscore.methods.particles.matched_smc")
NUMBERS, MEASURED = 160, 100


class White(Prior):
    """A prior of which nothing but its denoiser is known."""

    def __init__(self, prior: Prior) -> None:
        self._denoise, self.mean, self.variance = prior.denoise, prior.mean, prior.variance

    def denoise(self, x: Tensor, sigma: PerImage) -> Tensor:
        return self._denoise(x, sigma)


def randn(generator: torch.Generator, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=generator, dtype=F64)


def covariance(numbers: int, condition: float) -> Tensor:
    """With axes at random and a variance of one in the middle."""
    axes = torch.linalg.qr(randn(torch.Generator().manual_seed(3), numbers, numbers)).Q
    return axes * condition ** torch.linspace(-0.5, 0.5, numbers, dtype=F64) @ axes.T


def problem_of(matrix: Tensor, sets: int = 1) -> InverseProblem:
    y = randn(torch.Generator().manual_seed(4), sets, len(matrix))
    return InverseProblem(from_matrix(matrix), y, GaussianNoise(0.2))


def gaussian_jacobian(c: Tensor, sigma: float) -> Tensor:
    return c @ torch.linalg.inv(c + sigma**2 * torch.eye(len(c), dtype=F64))


@pytest.mark.parametrize("products", [2, 7])
def test_together_particles_see_all_of_a_gaussian_prior(products: int) -> None:
    """40 directions in 20 particles with two products each; seven each tell some twice."""
    c, sigma = covariance(40, 100.0), 0.7
    matrix = randn(torch.Generator().manual_seed(5), 30, 40)
    problem = problem_of(matrix, sets=2)
    together = Together.of(problem, 20, products, at_once=16)
    x = randn(torch.Generator().manual_seed(6), 40, 40)
    local = together.look(GaussianPrior(torch.zeros(40, dtype=F64), c), x, sigma, x)
    j = gaussian_jacobian(c, sigma)
    torch.testing.assert_close(local.jacobian.apply(lambda values: values, x), x @ j)
    torch.testing.assert_close(local.mean, x @ j)
    # The residual is of the set that a particle is in.
    away = local.y - local.mean @ matrix.T
    expected = problem.y.repeat_interleave(20, dim=0) - problem.operator(local.mean)
    torch.testing.assert_close(away, expected)


@pytest.mark.parametrize(("numbers", "measured", "particles"), [(60, 10, 10), (60, 40, 10)])
def test_what_is_not_looked_at_is_known_by_its_mean(
    numbers: int, measured: int, particles: int
) -> None:
    """One variance where the operator measures and another elsewhere, and fewer directions than
    numbers, and than rows: functions of J too, and what the rows see of it."""
    c = torch.where(torch.arange(numbers) < measured, 0.3, 1.7).to(F64)
    problem = problem_of(torch.eye(numbers, dtype=F64)[:measured])
    together = Together.of(problem, particles, 2, at_once=16)
    x = randn(torch.Generator().manual_seed(6), particles, numbers)
    prior = GaussianPrior(torch.zeros(numbers, dtype=F64), torch.diag(c))
    local = together.look(prior, x, 0.7, x)
    j = c / (c + 0.49)
    torch.testing.assert_close(local.jacobian.apply(lambda values: values, x), x * j)
    torch.testing.assert_close(local.jacobian.apply(torch.sqrt, x), x * j.sqrt())
    seen = local.jacobian.between(lambda values: values**2, local.rows, local.gram)
    torch.testing.assert_close(seen[0], torch.diag(j[:measured] ** 2))


@pytest.mark.parametrize("measured", [3, 25, 50])
def test_directions_are_apart(measured: int) -> None:
    """Orthonormal, as many as can be told; what is held is in what is beyond, and not known."""
    problem = problem_of(randn(torch.Generator().manual_seed(5), measured, 50), sets=2)
    together = Together.of(problem, 10, 2, at_once=16)
    spread = randn(torch.Generator().manual_seed(6), 2, 10, 50)
    found = together.directions(spread)
    every = torch.cat([found.basis, *(each.held for each in found.beyond)], dim=1)
    unit = torch.eye(20, dtype=F64).expand(2, -1, -1)
    torch.testing.assert_close(every @ every.mT, unit)
    assert all(each.held.shape[1] == 2 for each in found.beyond)  # a tenth
    for each in found.beyond:
        within = each.held if each.outer is None else (each.held @ each.outer.mT) @ each.outer
        torch.testing.assert_close(within, each.held)
        assert (each.held @ each.inner.mT).abs().max() < 1e-12
    taken = sum(
        (50 if each.outer is None else each.outer.shape[1]) - each.inner.shape[1]
        for each in found.beyond
    )
    assert found.basis.shape[1] + taken == 50


def test_axes_along_which_particles_spread_are_looked_at() -> None:
    """Two modes: their difference is no direction of which the mean alone is known."""
    problem = problem_of(torch.eye(50, dtype=F64)[:5])
    together = Together.of(problem, 10, 2, at_once=16)
    axis = torch.linspace(-1, 1, 50, dtype=F64)
    axis[:5] = 0
    basis = together.directions(torch.linspace(-1, 1, 10, dtype=F64)[None, :, None] * axis).basis
    seen = (axis @ basis[0].T).norm() / axis.norm()
    assert float(seen) == pytest.approx(1.0, abs=1e-3)


def test_the_shared_jacobian_is_the_mean() -> None:
    """Asked for all directions, particles of a prior whose J differs between them."""
    prior = GaussianMixturePrior(torch.tensor([[-1.0, 0.0], [1.0, 0.5]], dtype=F64), 0.2)
    problem, x = problem_of(torch.eye(2, dtype=F64)), torch.linspace(-1, 1, 12, dtype=F64)
    x = torch.stack([x, 0.3 * x], dim=1)
    together = Together.of(problem, 12, 2, at_once=5)
    asked = torch.arange(2).expand(12, 2)
    local = together._look(prior, x, 0.8, together.directions(x[None]), asked)
    own = torch.func.vmap(torch.func.jacrev(lambda one: prior.denoise(one[None], 0.8)[0]))(x)
    unit = torch.eye(2, dtype=F64).repeat(6, 1)
    found = local.jacobian.apply(lambda values: values, unit)[:2]
    torch.testing.assert_close(found, own.mean(dim=0))


def test_particles_are_asked_for_other_directions_at_each_level(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[Tensor] = []
    monkeypatch.setattr(Together, "_look", lambda *given: asked.append(given[-1]))
    together = Together.of(problem_of(torch.eye(40, dtype=F64)), 20, 2, at_once=16)
    prior, x = GaussianPrior(torch.zeros(40, dtype=F64), 1.0), torch.zeros(20, 40, dtype=F64)
    together.look(prior, x, 1.0, x)
    together.look(prior, x, 0.5, x)
    assert not torch.equal(*asked)
    assert all(torch.equal(each.flatten().sort().values, torch.arange(40)) for each in asked)


def test_a_set_of_one_particle_looks_in_more_directions() -> None:
    together = Together.of(problem_of(torch.eye(40, dtype=F64)[:30]), 1, 1, at_once=16)
    x = torch.ones(1, 40, dtype=F64)
    local = together.look(GaussianPrior(torch.zeros(40, dtype=F64), 2.0), x, 1.0, x)
    torch.testing.assert_close(local.jacobian.apply(lambda values: values, x), x * 2 / 3)


@pytest.mark.parametrize("alike", [True, False])
def test_shared_jacobians_are_those_of_each_particle(alike: bool) -> None:
    """Two sets of three: evidence, draws and what is expected, beside particles by themselves."""
    generator = torch.Generator().manual_seed(7)
    g, p, m, n = 2, 3, 4, 6
    basis = torch.linalg.qr(randn(generator, n, n)).Q[None].expand(g, -1, -1)
    matrices = torch.stack([covariance(n, 9.0), covariance(n, 30.0)])
    jacobian = LowRank.of(basis @ matrices, basis)
    variance = torch.rand(g * p, m, generator=generator, dtype=F64) + 0.1
    if alike:
        variance = variance[::p].repeat_interleave(p, dim=0)
    mean, y, rows = (randn(generator, *shape) for shape in ((g * p, n), (g * p, m), (1, m, n)))
    shared = LocalGaussian(mean, jacobian, rows, y, variance, alike)
    owners = torch.arange(g).repeat_interleave(p)
    apart = LocalGaussian(mean, jacobian.select(owners), rows, y, variance)
    white, noise = randn(generator, g * p, n), randn(generator, g * p, m)
    order = torch.tensor([2, 0, 0, 4, 5, 3])  # within each set

    def double(j: Tensor) -> Tensor:
        return 2 * j

    for one, other in ((shared, apart), (shared.select(order), apart.select(order))):
        torch.testing.assert_close(one.evidence(double, white), other.evidence(double, white))
        found, expected = (each.draw(double, white, noise) for each in (one, other))
        torch.testing.assert_close(found, expected)
        ahead, apart_ahead = (each.ahead(double, 0.4, 0.9, white) for each in (one, other))
        torch.testing.assert_close(ahead, apart_ahead)
        torch.testing.assert_close(one.misfit(white), other.misfit(white))


def draw(problem: InverseProblem, prior: Prior, **options: Any) -> Tensor:
    chosen = {"samples": 400, "particles": 400, "at_once": 400, "steps": 20, **options}
    return reconstruct(problem, prior, method="matched_smc", scale=1.0, **chosen).samples[:, 0]


@pytest.mark.parametrize("steps", [1, 4])
def test_gaussian_posterior_of_many_numbers(steps: int) -> None:
    """The covariance has no structure and a condition of 100."""
    c = covariance(NUMBERS, 100.0)
    prior = GaussianPrior(torch.linspace(-1, 1, NUMBERS, dtype=F64), c)
    matrix = randn(torch.Generator().manual_seed(8), MEASURED, NUMBERS) / NUMBERS**0.5
    operator, noise = from_matrix(matrix), GaussianNoise(0.1)
    problem = InverseProblem(operator, simulate(operator, prior.sample(1, 3), noise, 4), noise)
    exact = exact_posterior(problem, prior)
    x = draw(problem, White(prior), steps=steps)
    away = (x.mean(dim=0) - exact.mean) / exact.std
    assert away.square().mean().sqrt() < 1.3 / 400**0.5
    assert (x.std(dim=0) / exact.std).mean() == pytest.approx(1.0, abs=0.02)


def weights_of(seed: int, apart: float) -> tuple[Tensor, Tensor]:
    """Shares of three modes in samples, and the true ones. The modes differ in all that is hidden,
    and by ``apart`` in what is measured."""
    generator = torch.Generator().manual_seed(seed)
    means = randn(generator, 3, NUMBERS)
    means[:, :MEASURED] = means[:1, :MEASURED] + apart * randn(generator, 3, MEASURED)
    prior = GaussianMixturePrior(means, 0.09, torch.tensor([0.6, 0.3, 0.1], dtype=F64))
    operator = from_matrix(torch.eye(NUMBERS, dtype=F64)[:MEASURED])
    y = simulate(operator, prior.sample(1, seed), GaussianNoise(0.1), seed)
    problem = InverseProblem(operator, y, GaussianNoise(0.1))
    exact = exact_posterior(problem, prior)
    return prior.responsibilities(draw(problem, White(prior)), 0.0).mean(dim=0), exact.weights


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_weights_of_hidden_modes(seed: int) -> None:
    found, true = weights_of(seed, 0.0)
    assert (found - true).abs().sum() / 2 < 0.08


@pytest.mark.parametrize("seed", [1, 2, 4])
def test_weights_that_the_measurement_changes(seed: int) -> None:
    """By several nats in all, none of which one measured number has."""
    found, true = weights_of(seed, 0.04)
    prior = torch.tensor([0.6, 0.3, 0.1], dtype=F64)
    assert (prior - true).abs().sum() / 2 > 0.1
    assert (found - true).abs().sum() / 2 < 0.1


def test_a_field_whose_measured_pixels_tell_the_others() -> None:
    radius = (torch.fft.fftfreq(16)[:, None] ** 2 + torch.fft.fftfreq(16) ** 2).sqrt()
    power = radius.clamp_min(1 / 16).double()[None] ** -2
    field = StationaryGaussianPrior(torch.zeros(1, 16, 16, dtype=F64), power / power.mean())
    operator = Inpainting.random((1, 16, 16), keep=0.4, seed=1)
    y = simulate(operator, field.sample(1, 0), GaussianNoise(0.1), 0)
    problem = InverseProblem(operator, y, GaussianNoise(0.1))
    exact = exact_posterior(problem, field)
    result = reconstruct(problem, White(field), method="matched_smc", samples=100, scale=1.0)
    away = (result.samples[:, 0].mean(dim=0) - exact.mean) / exact.std
    assert away.square().mean().sqrt() < 1.3 / 100**0.5
    assert result.warnings == ()


def test_a_set_that_knows_too_little_of_j_is_given_up() -> None:
    """A correlated field of 1024 numbers: marginals as by `matched_spectrum`, and a warning."""
    shape = (1, 32, 32)
    field = StationaryGaussianPrior.power_law(shape, variance=1.0, dtype=F64)
    operator = Inpainting.random(shape, keep=0.3, seed=1)
    y = simulate(operator, field.sample(1, 0), GaussianNoise(0.1), 0)
    problem = InverseProblem(operator, y, GaussianNoise(0.1))
    exact = exact_posterior(problem, field)
    result = reconstruct(problem, White(field), method="matched_smc", samples=100, steps=20)
    away = (result.samples[:, 0].mean(dim=0) - exact.mean) / exact.std
    assert away.square().mean().sqrt() < 1.3 / 100**0.5
    assert result.evaluations > 38  # as many again
    assert "effective sample size" in result.warnings[0]


class Halves(Prior):
    """Keeps images whose first number is positive, and makes 0 of the others."""

    mean, variance = 0.0, 1.0

    def denoise(self, x: Tensor, sigma: PerImage) -> Tensor:
        return x * (x.detach()[:, :1] > 0) * (sigma > 0)


def test_how_unlike_the_jacobians_are() -> None:
    """Of twenty products half are 1 and half are 0: an unbiased variance of 5/19, of a square of
    1/2; in a set that agrees, of none; nothing is known where all are asked for different ones."""
    problem = problem_of(torch.ones(1, 1, dtype=F64), sets=2)
    together = Together.of(problem, 10, 2, at_once=16)
    x = torch.tensor([1.0, -1.0] * 5 + [1.0] * 10, dtype=F64)[:, None]
    together.look(Halves(), x, 0.8, x)
    torch.testing.assert_close(together.unlike, torch.tensor([10 / 19, 0.0], dtype=F64))
    problem = problem_of(torch.ones(1, 20, dtype=F64))
    together = Together.of(problem, 10, 2, at_once=16)
    x = torch.tensor([1.0, -1.0] * 5, dtype=F64)[:, None].expand(-1, 20)
    together.look(Halves(), x, 0.8, x)
    assert together.unlike.tolist() == [0.0]


class Spikes(Prior):
    """Independent numbers, one in five of which is of variance 4, and the others of a millionth."""

    mean, variance = 0.0, 0.8

    def denoise(self, x: Tensor, sigma: PerImage) -> Tensor:
        own, share = torch.tensor([1e-6, 4.0]).to(x), torch.tensor([0.8, 0.2]).to(x)
        total = own + float(torch.as_tensor(sigma).flatten()[0]) ** 2
        log = share.log() - 0.5 * total.log() - 0.5 * x[..., None] ** 2 / total
        return x * (log.softmax(dim=-1) * own / total).sum(dim=-1)


@pytest.mark.parametrize(("unlike", "evaluations"), [(None, 29), (1.0, 10)])
def test_a_set_whose_particles_do_not_agree_is_given_up(
    unlike: float | None, evaluations: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which numbers are spikes differs between particles, and J with them, to the end: ten steps,
    and twenty more, as weights are uneven at two levels."""
    if unlike is not None:
        monkeypatch.setattr(MATCHED_SMC, "UNLIKE", unlike)
    generator, shape = torch.Generator().manual_seed(0), (1, 8, 8)
    spikes = torch.rand(64, generator=generator, dtype=F64) < 0.2
    truth = (2 * spikes * randn(generator, 64)).reshape(1, *shape)
    matrix = randn(generator, 6, 64) / 8
    operator = from_matrix(matrix, shape)
    y = simulate(operator, truth, GaussianNoise(0.05), 0)
    problem = InverseProblem(operator, y, GaussianNoise(0.05))
    result = reconstruct(problem, Spikes(), method="matched_smc", samples=100, steps=10)
    assert result.evaluations == pytest.approx(evaluations, abs=1)
    assert "effective sample size" in result.warnings[0]


def test_a_set_with_uneven_weights_is_not_given_up() -> None:
    """Four modes that differ a little in what is measured, and in all that is hidden."""
    generator, shape = torch.Generator().manual_seed(5), (1, 16, 16)
    seen = (torch.arange(16) < 8)[:, None].expand(16, 16)
    hidden, base = randn(generator, 4, *shape), randn(generator, 1, *shape)
    means = torch.where(seen, base + 0.1 * randn(generator, 4, *shape), hidden)
    prior, operator = GaussianMixturePrior(means, 0.09), Inpainting(seen, shape)
    y = simulate(operator, prior.sample(1, 0), GaussianNoise(0.05), 0)
    problem = InverseProblem(operator, y, GaussianNoise(0.05))
    result = reconstruct(problem, White(prior), method="matched_smc", samples=100, steps=20)
    assert min(result.trace["effective_sample_size"]) < 10
    assert result.evaluations <= 20


def test_noise_that_differs_between_particles() -> None:
    """Counts of many numbers, by the mean and the deviation of the posterior of each."""
    shape = (12,)
    prior = GaussianPrior(torch.full(shape, 20.0, dtype=F64), 9.0)
    y = torch.linspace(10, 30, 12, dtype=F64)[None]
    problem = InverseProblem(Identity(shape), y, PoissonNoise(1.0))
    x = draw(problem, White(prior), steps=40, samples=1000, particles=1000)
    grid = torch.linspace(2, 40, 4001, dtype=F64)[:, None].expand(-1, 12)
    log = -0.5 * (grid - 20) ** 2 / 9 + y * grid.log() - grid
    law = log.softmax(dim=0)
    mean = (law * grid).sum(dim=0)
    deviation = (law * (grid - mean) ** 2).sum(dim=0).sqrt()
    assert ((x.mean(dim=0) - mean) / deviation).abs().max() < 0.2
    assert (x.std(dim=0) / deviation - 1).abs().max() < 0.12


def test_auto_takes_it_for_closed_forms_alone() -> None:
    prior = White(GaussianPrior(torch.zeros(1, 16, 16, dtype=F64), 0.25))
    operator = Inpainting.random((1, 16, 16), keep=0.5)
    problem = InverseProblem(operator, torch.zeros(1, 1, 16, 16, dtype=F64), GaussianNoise(0.1))
    options = {"steps": None, "particles": 50}
    info, chosen = resolve(problem, prior, options)
    assert (info.name, chosen["particles"], chosen["steps"]) == ("matched_smc", 50, 20)
    prior.sigma_max = 50.0
    assert resolve(problem, prior, options)[0].name == "matched_spectrum"


@pytest.mark.parametrize(("side", "taken"), [(32, "matched_smc"), (33, "matched_spectrum")])
def test_images_of_more_than_a_thousand_numbers_get_no_particles(side: int, taken: str) -> None:
    """A hundred a sample would take too long there."""
    shape = (1, side, side)
    prior = White(StationaryGaussianPrior.power_law(shape, dtype=F64))
    operator = Blur.gaussian(1.0, shape)
    problem = InverseProblem(operator, torch.zeros(1, *shape, dtype=F64), GaussianNoise(0.1))
    assert resolve(problem, prior, {"steps": None, "particles": 4})[0].name == taken
