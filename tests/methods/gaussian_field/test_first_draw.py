"""Draws of the first guess: the posterior of a field, in closed form."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import pytest
import torch
from torch import Tensor

from invscore import GaussianNoise, InverseProblem, reconstruct, simulate
from invscore.exact import exact_posterior
from invscore.methods.gaussian_field.first_guess import posterior_draw
from invscore.methods.gaussian_field.power_law import field_draw
from invscore.methods.gaussian_field.waves import bands_of_guess
from invscore.operators import Blur, Inpainting, LinearOperator
from invscore.priors import StationaryGaussianPrior
from invscore.rng import SampleRNG

F64 = torch.float64
SHAPE = (1, 10, 10)
HOLE = torch.ones(10, 10, dtype=torch.bool)
HOLE[3:7, 3:7] = False
OPERATORS: dict[str, LinearOperator] = {
    "hole": Inpainting(HOLE, SHAPE),
    "border": Blur.gaussian(0.8, SHAPE, size=5, boundary="valid"),
    "motion": Blur.motion(4, 30, SHAPE, boundary="valid"),
    "filter": Blur.gaussian(0.8, SHAPE, size=5),
}


@pytest.mark.parametrize("name", OPERATORS)
def test_the_law_is_the_posterior(
    name: str, law_of_draw: Callable[..., tuple[Tensor, Tensor]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By dense matrices."""
    monkeypatch.setattr("invscore.methods.gaussian_field.bordered.TOLERANCE", 1e-9)
    operator, noise, variance = OPERATORS[name], 0.1, 0.3
    generator = torch.Generator().manual_seed(0)
    y = torch.randn(1, *operator.out_shape, dtype=F64, generator=generator)
    problem = InverseProblem(operator, y, GaussianNoise(noise))

    def draw(task: InverseProblem, rng: SampleRNG) -> Tensor:
        mean = torch.full((len(task.y), *SHAPE), 0.4, dtype=F64)
        return field_draw(task, operator, mean, 3.0, variance, rng)

    mean, covariance = law_of_draw(draw, problem)
    unit = torch.eye(100, dtype=F64).reshape(100, *SHAPE)
    bands = bands_of_guess(operator, unit)
    field = bands.image(bands.power_law(3.0, variance) * bands.spectrum(unit)).flatten(1)
    a = operator.matvec(unit).flatten(1).T
    gain = field @ a.T @ torch.linalg.inv(a @ field @ a.T + noise**2 * torch.eye(len(a)).to(F64))
    prior_mean = torch.full((100,), 0.4, dtype=F64)
    expected = prior_mean + gain @ (y.flatten() - a @ prior_mean)
    torch.testing.assert_close(mean, expected, rtol=0.0, atol=1e-4)
    torch.testing.assert_close(covariance, field - gain @ a @ field, rtol=0.0, atol=2e-4)


def test_channels_have_in_common_what_is_said() -> None:
    shape = (3, 32, 32)
    nothing_seen = Inpainting(torch.arange(32 * 32).reshape(32, 32) == 0, shape)
    y = torch.zeros(200, *shape, dtype=F64)
    problem = InverseProblem(nothing_seen, y, GaussianNoise(1e3))
    rng = SampleRNG([(k,) for k in range(200)])
    drawn = field_draw(problem, nothing_seen, y, 3.0, 0.25, rng, 0.8)
    covariance = torch.einsum("bchw,bdhw->cd", drawn, drawn) / drawn[:, 0].numel()
    spread = torch.full((3,), 0.25, dtype=F64)
    torch.testing.assert_close(covariance.diagonal(), spread, rtol=0.1, atol=0.0)
    correlation = covariance / covariance.diagonal().mean()
    assert float(correlation[0, 1]) == pytest.approx(0.8, abs=0.06)
    assert float(correlation[1, 2]) == pytest.approx(0.8, abs=0.06)


@pytest.mark.parametrize("kind", ["border", "hole"])
def test_samples_spread_where_nothing_is_measured(kind: str) -> None:
    """Ten evaluations from one deviation of a pixel, as behind a low-pass; exact by matrices.

    From the first guess itself they spread by 0.91 of the posterior's deviation beyond a border,
    and by 0.90 in a hole.
    """
    prior = StationaryGaussianPrior.power_law((1, 32, 32), exponent=2.0, variance=0.04)
    prior = StationaryGaussianPrior(torch.full((1, 32, 32), 0.5).to(F64), prior.eigenvalues.to(F64))
    hidden = torch.zeros(32, 32, dtype=torch.bool)
    if kind == "hole":
        hidden[10:22, 10:22] = True
        operator: LinearOperator = Inpainting(~hidden, (1, 32, 32))
    else:
        hidden[[0, 1, -2, -1]] = hidden[:, [0, 1, -2, -1]] = True
        operator = Blur.gaussian(1.0, (1, 32, 32), boundary="valid")
    noise, truth = GaussianNoise(0.01), prior.sample(1, 0)
    problem = InverseProblem(operator, simulate(operator, truth, noise, 1), noise)
    exact = exact_posterior(problem, prior).sample(400, 0).std(dim=0)[0, hidden]
    found = reconstruct(
        problem,
        prior,
        method="matched_spectrum",
        samples=200,
        steps=10,
        sigma_max=0.2,
        sigma_min=0.016,
        spread="local",
        antithetic=False,
        scale=1,
    )
    spread = found.samples.std(dim=0)[0, 0, hidden]
    ratio = float(spread.square().mean() / exact.square().mean()) ** 0.5
    assert ratio == pytest.approx(1.0, abs=0.06)


def with_hole(side: int) -> LinearOperator:
    mask = torch.ones(16, 16, dtype=torch.bool)
    mask[3 : 3 + side, 5 : 5 + side] = False
    return Inpainting(mask, (1, 16, 16))


@pytest.mark.parametrize(
    ("operator", "steps", "spread", "drawn"),
    [
        (with_hole(8), 3, "local", True),
        (with_hole(8), 2, "local", False),
        (with_hole(7), 3, "local", False),
        (with_hole(8), 3, "told", False),
        (OPERATORS["border"], 3, "seen", True),
        (OPERATORS["filter"], 3, "seen", False),
    ],
)
def test_samples_begin_at_draws_where_places_are_unseen(
    operator: LinearOperator,
    steps: int,
    spread: str,
    *,
    drawn: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of three evaluations and more: of fewer the mean of a pair loses by it."""
    begin = import_module("invscore.methods.matched_spectrum.begin")
    asked = []

    def draw(*given: Any) -> Tensor:
        asked.append(given)
        return posterior_draw(*given)

    monkeypatch.setattr(begin, "posterior_draw", draw)
    problem = InverseProblem(operator, torch.zeros(1, *operator.out_shape), GaussianNoise(0.1))
    prior = StationaryGaussianPrior.power_law(tuple(operator.in_shape))
    options: dict[str, Any] = {"steps": steps, "spread": spread}
    reconstruct(problem, prior, method="matched_spectrum", samples=2, **options)
    assert bool(asked) is drawn
