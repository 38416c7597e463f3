"""Antithetic pairs: every figure against a Gaussian posterior in closed form."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from invscore import reconstruct
from invscore.exact import exact_posterior
from invscore.likelihood import GaussianNoise, InverseProblem, simulate
from invscore.metrics import crps
from invscore.operators import Blur
from invscore.priors import StationaryGaussianPrior
from invscore.rng import AntitheticRNG
from invscore.uncertainty.intervals import credible_interval, quantile
from invscore.uncertainty.pairs import places, spread

F64 = torch.float64
TRIALS = 200_000


def samples(n: int, r: float, seed: int = 0) -> Tensor:
    """(n, TRIALS) standard normal numbers, in pairs of correlation r, a last one alone."""
    generator = torch.Generator().manual_seed(seed)
    z = torch.randn(n + n % 2, TRIALS, dtype=F64, generator=generator)
    first, own = z[0::2], z[1::2]
    second = r * first + (1 - r**2) ** 0.5 * own
    return torch.stack([first, second], dim=1).flatten(0, 1)[:n]


def truth() -> Tensor:
    return torch.randn(TRIALS, dtype=F64, generator=torch.Generator().manual_seed(99))


@pytest.mark.parametrize("n", [2, 3, 4, 7, 8])
@pytest.mark.parametrize("r", [-1.0, -0.6, 0.0])
def test_the_variance_is_right_on_average(n: int, r: float) -> None:
    if n == 2 and r > -1:
        pytest.skip("of two samples, the correlation is taken to be -1")
    found = spread(samples(n, r), paired=True)
    assert float(found.variance.mean()) == pytest.approx(1, abs=0.01)  # 3 standard errors
    assert found.correlation == pytest.approx(r, abs=0.01)
    mean = samples(n, r).mean(dim=0)
    assert found.share == pytest.approx(float(mean.square().mean()), abs=0.006)


def test_independent_samples_are_as_they_were() -> None:
    x = samples(5, 0.0)[:, :100]
    found = spread(x, paired=False)
    torch.testing.assert_close(found.variance, x.var(dim=0))
    assert (found.share, found.freedom, found.correlation) == (1 / 5, 4, 0)
    torch.testing.assert_close(places(5, 0.0), torch.arange(1, 6, dtype=F64) / 6)
    assert float(spread(x[:1], paired=True).variance.sum()) == 0


@pytest.mark.parametrize("n", [2, 4, 8])
@pytest.mark.parametrize("level", [0.5, 0.9])
def test_intervals_hold_what_they_say(n: int, level: float) -> None:
    """Coverage of mirrored pairs to 0.3 %: those of independent samples hold more or less."""
    interval = credible_interval(samples(n, -1.0), level, paired=True)
    assert float(interval.contains(truth()).double().mean()) == pytest.approx(level, abs=0.003)
    if n == 2:
        plain = credible_interval(samples(n, -1.0), level)
        assert float(plain.contains(truth()).double().mean()) > level + 0.03


@pytest.mark.parametrize("r", [-0.9, -0.5, 0.0])
def test_intervals_of_imperfect_pairs(r: float) -> None:
    interval = credible_interval(samples(8, r), 0.9, paired=True)
    assert float(interval.contains(truth()).double().mean()) == pytest.approx(0.9, abs=0.008)


@pytest.mark.parametrize(("n", "q"), [(2, 0.25), (4, 5 / 6), (4, 0.5), (3, 0.7), (8, 0.9)])
def test_quantiles_have_their_chance(n: int, q: float) -> None:
    x = samples(n, -1.0)
    below = truth() < quantile(x, q, paired=True)
    # A place between two samples is right for a flat law alone, as it is for independent ones.
    assert float(below.double().mean()) == pytest.approx(q, abs=0.02)
    if n != 3 and q != 0.9:
        assert float(below.double().mean()) == pytest.approx(q, abs=0.004)
    with pytest.raises(ValueError, match="`q` must lie in"):
        quantile(x, 0.999, paired=True)


@pytest.mark.parametrize("n", [2, 3, 4, 9])
@pytest.mark.parametrize("r", [-1.0, -0.5])
def test_crps_is_fair(n: int, r: float) -> None:
    if n == 2 and r > -1:
        pytest.skip("of two samples, the correlation is taken to be -1")
    x, t = samples(n, r)[:, None], truth()[None]
    expected = 1 / torch.pi**0.5  # E|X - t| - E|X - X'| / 2 of standard normal numbers
    assert float(crps(x, t, paired=True)) == pytest.approx(expected, abs=0.005)
    if n == 2:
        assert float(crps(x, t)) < 0.7 * expected


@pytest.mark.parametrize("seed", [0, 1])
def test_pairs_are_by_index_whatever_the_seed(seed: int) -> None:
    x = torch.zeros(4, 1, 8, 8, dtype=F64)
    keys = [(seed + k, 0) for k in range(4)]
    rng = AntitheticRNG(keys, range(4))
    z = rng.normal_like(x)
    assert torch.equal(z[0], -z[1])
    assert torch.equal(z[2], -z[3])
    assert not torch.equal(z[0].abs(), z[2].abs())
    assert rng.keys == tuple(keys)
    alone = AntitheticRNG([keys[3]], [3]).normal_like(x[:1])
    assert torch.equal(alone[0], z[3])
    complex_ = AntitheticRNG(keys, range(4)).normal_like(x + 0j)
    assert torch.equal(complex_[0], -complex_[1])
    assert abs(float(z.std()) - 1) < 0.2
    other = AntitheticRNG([(1 - seed + k, 0) for k in range(4)], range(4)).normal_like(x)
    assert not torch.equal(other[0].abs(), z[0].abs())


def gaussian_problem() -> tuple[InverseProblem, StationaryGaussianPrior]:
    prior = StationaryGaussianPrior.power_law((1, 16, 16), variance=0.1, mean=0.5, dtype=F64)
    operator, noise = Blur.gaussian(1.0, (1, 16, 16)), GaussianNoise(0.1)
    return InverseProblem(operator, simulate(operator, prior.sample(1, 3), noise, 1), noise), prior


@pytest.mark.parametrize("method", ["matched_spectrum", "ddrm", "pigdm", "daps"])
@pytest.mark.parametrize("seed", [4, 7])
def test_every_sampling_method_serves_pairs(method: str, seed: int) -> None:
    """Two samples of a linear sampler: their mean is that of all, and ``std`` is a draw's."""
    problem, prior = gaussian_problem()
    options = {"steps": 20, "ode_steps": 1} if method == "daps" else {"steps": 20}
    pair = reconstruct(
        problem, prior, method=method, samples=2, seed=seed, antithetic=True, **options
    )
    assert pair.paired
    many = reconstruct(problem, prior, method=method, samples=60, antithetic=False, **options)
    assert not many.paired
    error = (pair.mean - many.mean).square().mean().sqrt()
    assert float(error) < 0.35 * float(many.std.mean()), "a pair's mean has no chance in it"
    ratio = float(pair.std.square().mean() / many.std.square().mean())
    assert ratio == pytest.approx(1, abs=0.35)  # of 256 pixels, correlated
    if method == "matched_spectrum":
        exact = exact_posterior(problem, prior)
        torch.testing.assert_close(pair.mean[0], exact.mean, atol=0.05, rtol=0)


def test_who_has_pairs() -> None:
    problem, prior = gaussian_problem()
    given = {"samples": 2, "steps": 3}
    assert reconstruct(problem, prior, method="matched_spectrum", **given).paired
    assert reconstruct(problem, prior, **given).paired
    assert not reconstruct(problem, prior, method="ddrm", **given).paired
    assert not reconstruct(problem, prior, method="map", **given).paired
    for method in ("map", "smc"):
        with pytest.raises(ValueError, match=r"`antithetic` must be false for .*, got True"):
            reconstruct(problem, prior, method=method, antithetic=True, **given)
