"""Every sampler: its recursion on a Gaussian, its law on a mixture, its order."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor

from invscore import levels
from invscore.priors import GaussianMixturePrior, GaussianPrior
from invscore.rng import SampleRNG
from invscore.sampling import SAMPLERS, ddim_step, get_sampler, langevin_step

F64 = torch.float64
MEAN, VARIANCE = 0.8, 0.5
GAUSSIAN = GaussianPrior(torch.full((1,), MEAN, dtype=F64), VARIANCE)
MIXTURE = GaussianMixturePrior(
    torch.tensor([[-2.0, 0.0], [2.0, 1.0]], dtype=F64), 0.09, torch.tensor([0.3, 0.7], dtype=F64)
)
COUNT = 20_000
LEVELS = [8.0, 5.0, 2.0, 1.5, 0.6, 0.2, 0.0]


def run(name: str, x: Tensor, sigmas: Sequence[float], rng: SampleRNG, **options: Any) -> Tensor:
    *_, last = SAMPLERS[name].run(GAUSSIAN.denoise, x, sigmas, rng, **options)
    return last


def slope(sigma: float) -> float:
    """The probability flow of the Gaussian is ``dx/dsigma = slope (x - mean)``."""
    return sigma / (VARIANCE + sigma**2)


def euler_gain(sigma: float, lower: float) -> float:
    return 1 + (lower - sigma) * slope(sigma)


def heun_gain(sigma: float, lower: float) -> float:
    ahead = slope(lower) * euler_gain(sigma, lower) if lower > 0 else slope(sigma)
    return 1 + (lower - sigma) * (slope(sigma) + ahead) / 2


@pytest.mark.parametrize(
    ("name", "gain"), [("euler", euler_gain), ("ddim", euler_gain), ("heun", heun_gain)]
)
def test_deterministic_steps_on_a_gaussian(
    name: str, gain: Callable[[float, float], float]
) -> None:
    x = torch.tensor([[7.0]], dtype=F64)
    expected = MEAN + math.prod(gain(*pair) for pair in pairwise(LEVELS)) * (x - MEAN)
    torch.testing.assert_close(run(name, x, LEVELS, SampleRNG([(0,)])), expected)


def test_dpm_solver_by_the_formula_of_the_paper() -> None:
    """Lu et al. 2022, Algorithm 2, with alpha = 1 and lambda = -ln(sigma)."""
    x, rng = torch.tensor([[7.0]], dtype=F64), SampleRNG([(0,)])
    expected, older, before = x, x, math.nan
    for sigma, lower in pairwise(LEVELS[:-1]):
        h = math.log(sigma / lower)
        denoised = GAUSSIAN.denoise(expected, sigma)
        r = before / h
        mixed = denoised if math.isnan(r) else (1 + 1 / (2 * r)) * denoised - 1 / (2 * r) * older
        expected = lower / sigma * expected - math.expm1(-h) * mixed
        older, before = denoised, h
    torch.testing.assert_close(run("dpm++2m", x, LEVELS[:-1], rng), expected)
    final = GAUSSIAN.denoise(expected, LEVELS[-2])
    torch.testing.assert_close(run("dpm++2m", x, LEVELS, rng), final)


def ancestral(sigma: float, lower: float, eta: float = 1.0) -> tuple[float, float]:
    """The factor of ``x - mean`` and the variance that is added."""
    fresh = eta * lower * (1 - (lower / sigma) ** 2) ** 0.5
    shrink = VARIANCE / (VARIANCE + sigma**2)
    kept = (lower**2 - fresh**2) ** 0.5 / sigma
    return shrink + kept * (1 - shrink), fresh**2


def reverse_sde(sigma: float, lower: float) -> tuple[float, float]:
    removed = sigma**2 - lower**2
    return 1 - removed / (VARIANCE + sigma**2), removed if lower > 0 else 0.0


def corrected(sigma: float, lower: float) -> tuple[float, float]:
    gain, added = ancestral(sigma, lower)
    if lower == 0:
        return gain, added
    kept = math.exp(-2 * 0.3**2)
    shrink = VARIANCE / (VARIANCE + lower**2)
    again = shrink + kept * (1 - shrink)
    return again * gain, again**2 * added + (1 - kept**2) * lower**2


@pytest.mark.parametrize(
    ("name", "options", "step"),
    [
        ("ddpm", {}, ancestral),
        ("ddim", {"eta": 1.0}, ancestral),
        ("ddim", {"eta": 0.6}, lambda sigma, lower: ancestral(sigma, lower, 0.6)),
        ("euler-maruyama", {}, reverse_sde),
        ("pc", {"snr": 0.3}, corrected),
    ],
)
def test_variance_on_a_gaussian(
    name: str, options: dict[str, Any], step: Callable[..., tuple[float, float]], one_stream: Any
) -> None:
    rng = one_stream(0)
    gain, variance = 1.0, VARIANCE + LEVELS[0] ** 2
    for pair in pairwise(LEVELS[:-1]):
        factor, added = step(*pair)
        gain, variance = factor * gain, factor**2 * variance + added
    start = MEAN + (VARIANCE + LEVELS[0] ** 2) ** 0.5 * rng.normal_like(
        torch.zeros(COUNT, 1, dtype=F64)
    )
    x = run(name, start, LEVELS[:-1], rng, **options)
    assert abs(float(x.mean()) - MEAN) < 5 * (variance / COUNT) ** 0.5
    assert abs(float(x.var()) / variance - 1) < 5 * (2 / COUNT) ** 0.5
    covariance = float(((x - MEAN) * (start - MEAN)).mean()) / (VARIANCE + LEVELS[0] ** 2)
    assert abs(covariance - gain) < 5 * (variance / COUNT) ** 0.5 / LEVELS[0]


def test_corrections_last_as_long_as_snr_says() -> None:
    """Langevin steps of ``2 snr^2 sigma^2`` at the lower level, Song et al. 2021, Algorithm 4."""
    x, rng = torch.tensor([[3.0]], dtype=F64), SampleRNG([(0,)])
    expected = ddim_step(x, GAUSSIAN.denoise(x, 2.0), 2.0, 1.0, 1.0, rng)
    for _ in range(2):
        denoised = GAUSSIAN.denoise(expected, 1.0)
        expected = langevin_step(expected, denoised, 1.0, 1.0, 0.18, rng)
    found = run("pc", x, [2.0, 1.0], SampleRNG([(0,)]), snr=0.3, corrections=2)
    torch.testing.assert_close(found, expected)
    assert SAMPLERS["pc"].defaults["snr"] == 0.16  # that of the paper


@pytest.mark.parametrize("name", sorted(SAMPLERS))
def test_the_last_step_ends_at_the_denoised_image(name: str, one_stream: Any) -> None:
    x, rng = torch.tensor([[7.0], [-1.0]], dtype=F64), one_stream(3)
    *_, before, last = SAMPLERS[name].run(GAUSSIAN.denoise, x, LEVELS, rng)
    torch.testing.assert_close(last, GAUSSIAN.denoise(before, LEVELS[-2]))


@pytest.mark.parametrize("name", sorted(SAMPLERS))
def test_mode_weights_means_and_deviations_of_a_mixture(name: str, one_stream: Any) -> None:
    rng, count = one_stream(1), 4000
    right = torch.arange(count)[:, None] < 0.7 * count
    clean = torch.where(right, MIXTURE.means[1], MIXTURE.means[0])
    clean = clean + 0.3 * rng.normal_like(clean)
    sigmas = [*levels.geometric(120, 20.0, 0.01), 0.0]
    x = clean + sigmas[0] * rng.normal_like(clean)
    for x in SAMPLERS[name].run(MIXTURE.denoise, x, sigmas, rng):  # noqa: B007, B020
        pass
    assert float((x - MIXTURE.means[:, None]).norm(dim=2).amin(dim=0).max()) < 5 * 0.3
    side = x[:, 0] > 0
    assert abs(float(side.double().mean()) - 0.7) < 5 * (0.21 / count) ** 0.5
    for chosen, mean in ((~side, MIXTURE.means[0]), (side, MIXTURE.means[1])):
        mine = x[chosen]
        assert float((mine.mean(dim=0) - mean).abs().max()) < 5 * 0.3 / len(mine) ** 0.5 + 0.01
        assert float((mine.std(dim=0) / 0.3 - 1).abs().max()) < 5 / (2 * len(mine)) ** 0.5 + 0.03


@pytest.mark.parametrize(("name", "order"), [("euler", 1), ("heun", 2), ("dpm++2m", 2)])
def test_order_of_convergence(name: str, order: int) -> None:
    """Twice the steps divide the error of the path by 2^order."""
    x = torch.tensor([[5.0, -7.0], [-9.0, 2.0], [0.5, 8.0]], dtype=F64)
    rng = SampleRNG([(k,) for k in range(3)])

    def end(name: str, steps: int, **options: Any) -> Tensor:
        sigmas = levels.geometric(steps + 1, 8.0, 0.2)
        *_, last = SAMPLERS[name].run(MIXTURE.denoise, x, sigmas, rng, **options)
        return last

    exact = end("adaptive", 1, rtol=1e-10, atol=1e-10)
    errors = [float((end(name, steps) - exact).norm()) for steps in (200, 400)]
    assert math.log2(errors[0] / errors[1]) == pytest.approx(order, abs=0.15)


@pytest.mark.parametrize("tolerance", [1e-3, 1e-6])
def test_the_adaptive_flow_keeps_its_tolerance(tolerance: float) -> None:
    """The flow of a Gaussian in closed form: deviations shrink with those of the marginals."""
    x = torch.tensor([[7.0], [0.0], [-30.0]], dtype=F64)
    final = run("adaptive", x, [20.0, 3.0, 0.1], SampleRNG([]), rtol=tolerance, atol=tolerance)
    shrunk = ((VARIANCE + 0.01) / (VARIANCE + 400)) ** 0.5
    errors = (final - MEAN - shrunk * (x - MEAN)).abs()
    assert float(errors.max()) < 10 * tolerance
    assert float(errors.max()) > 1e-4 * tolerance  # no more work than was asked for


def test_unknown_samplers_and_options() -> None:
    with pytest.raises(ValueError, match=r"unknown sampler 'hoin': known are adaptive, ddim, ddpm"):
        get_sampler("hoin")
    with pytest.raises(ValueError, match="sampler 'heun' has no option 'eta': it has steps"):
        get_sampler("heun").options({"eta": 1.0})
    with pytest.raises(ValueError, match="sampler 'adaptive' has no option 'steps': it has rtol"):
        get_sampler("adaptive").options({"steps": 3})


@pytest.mark.parametrize("name", sorted(SAMPLERS))
def test_every_sampler_is_described(name: str) -> None:
    info = SAMPLERS[name]
    assert info.summary.endswith(".")
    assert info.cites
    for option in set(info.defaults) - {"steps"}:
        assert f"``{option}``" in (info.run.__doc__ or ""), option
