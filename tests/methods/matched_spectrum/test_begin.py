"""Samples begin as far apart as the first guess leaves open beyond what their level hides."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

import pytest
import torch
from torch import Tensor

from invscore import GaussianNoise, InverseProblem, reconstruct, simulate
from invscore.exact import exact_posterior
from invscore.methods.common.initial_guess import initial_guess
from invscore.methods.gaussian_field.waves import bands_behind
from invscore.methods.matched_spectrum.begin import begin, widened
from invscore.methods.matched_spectrum.cheapest import measurement_for
from invscore.operators import Blur, LinearOperator, SuperResolution
from invscore.priors import StationaryGaussianPrior
from invscore.rng import SampleRNG

F64 = torch.float64
SHAPE = (1, 8, 8)
VARIANCE = 0.3


def _prior(shape: tuple[int, ...], variance: float) -> StationaryGaussianPrior:
    prior = StationaryGaussianPrior.power_law(shape, exponent=3.0, variance=variance)
    mean = torch.full(shape, 0.5, dtype=F64)
    return StationaryGaussianPrior(mean, prior.eigenvalues.to(F64))


def _begin(problem: InverseProblem, sigma: float, rng: SampleRNG) -> Tensor:
    operator = problem.operator
    assert isinstance(operator, LinearOperator)
    bands = bands_behind(operator, problem.y.new_zeros(len(problem.y), *operator.in_shape))
    measurement = measurement_for(problem, operator, bands)
    prior = _prior(operator.in_shape, VARIANCE)
    return widened(begin(problem, prior, rng), problem, prior, measurement, sigma, rng)


def test_the_law_behind_a_blur(law_of_draw: Callable[..., tuple[Tensor, Tensor]]) -> None:
    """The guess, and of each frequency what it leaves open beyond ``2 sigma^2``."""
    operator, noise, sigma = Blur.gaussian(1.0, SHAPE, size=5), 1.0, 0.4
    y = torch.randn(1, *SHAPE, dtype=F64, generator=torch.Generator().manual_seed(0))
    problem = InverseProblem(operator, y, GaussianNoise(noise))
    mean, covariance = law_of_draw(lambda task, rng: _begin(task, sigma, rng), problem)
    unit = torch.eye(64, dtype=F64).reshape(64, *SHAPE)
    bands = bands_behind(operator, unit)
    power = bands.power_law(3.0, VARIANCE)
    passed = bands.spectrum(operator.rmatvec(operator.matvec(unit))) / bands.spectrum(unit)
    left = power / (1 + power * passed[:1].abs() / noise**2)
    beyond = (left - 2 * sigma**2).clamp_min(0)
    assert 0 < int((beyond > 0).sum()) < beyond.numel() / 2, "some are hidden, some are not"
    expected = bands.image(beyond * bands.spectrum(unit)).flatten(1)
    torch.testing.assert_close(covariance, expected, rtol=0.0, atol=1e-5)
    guess = initial_guess(problem, _prior(SHAPE, VARIANCE), 0.0, SampleRNG([(0,)]))
    torch.testing.assert_close(mean, guess.flatten(), rtol=0.0, atol=1e-5)


@pytest.mark.parametrize("noise", [0.1, 3.0])
def test_decimation_by_much_noise_alone(noise: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Twice smaller images tell all that a level of 0.4 hides, but for much noise."""
    module = import_module("invscore.methods.matched_spectrum.begin")
    asked = []

    def draw(problem: InverseProblem, *_: object) -> Tensor:
        asked.append(problem)
        return torch.zeros(1, *SHAPE, dtype=F64)

    monkeypatch.setattr(module, "posterior_draw", draw)
    operator = SuperResolution(2, SHAPE)
    y = torch.zeros(1, *operator.out_shape, dtype=F64)
    _begin(InverseProblem(operator, y, GaussianNoise(noise)), 0.4, SampleRNG([(0,)]))
    assert bool(asked) is (noise > 1)


def test_samples_spread_behind_much_noise() -> None:
    """A quarter of the rows and columns, noise of 2.4 deviations of a pixel; exact by matrices.

    From the first guess itself samples spread by 0.78 of the posterior's deviation.
    """
    prior = _prior((1, 32, 32), 0.0625)
    operator, noise = SuperResolution(4, (1, 32, 32)), GaussianNoise(0.6)
    problem = InverseProblem(operator, simulate(operator, prior.sample(1, 0), noise, 1), noise)
    exact = exact_posterior(problem, prior).sample(400, 0).std(dim=0)
    found = reconstruct(
        problem,
        prior,
        method="matched_spectrum",
        samples=200,
        steps=10,
        spread="local",
        antithetic=False,
        scale=1,
    )
    ratio = float(found.samples.std(dim=0).square().mean() / exact.square().mean()) ** 0.5
    assert ratio == pytest.approx(1.0, abs=0.08)
