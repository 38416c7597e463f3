"""Simulation-based calibration: exact methods have uniform ranks, narrow ones do not."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from invscore.bench.posterior import PROBLEMS
from invscore.bench.posterior.cells import EXACT, Cell, run
from invscore.bench.posterior.sbc import METRICS, PAIRS, instance_of
from invscore.exact import exact_posterior
from invscore.likelihood import GaussianNoise, InverseProblem
from invscore.methods import METHODS, Step, register
from invscore.operators import Identity
from invscore.priors import GaussianPrior


@pytest.fixture
def truths(monkeypatch: pytest.MonkeyPatch) -> None:
    """Registers ``draws(width=1)``: posterior draws for every measurement, ``width`` times as
    far from the mean as they should be."""
    monkeypatch.setitem(METHODS, "draws", METHODS["dps"])  # taken out again after the test

    @register("draws", exact=True, cites="a test")
    def draws(problem, prior, rng, *, steps: int = 1, width: float = 1.0) -> Iterator[Step]:  # noqa: ARG001
        """Exact draws, or too wide."""
        white = rng.normal_like(problem.operator.rmatvec(problem.y))
        x = torch.empty_like(white)
        # All measurements share a covariance: one factorisation serves them all.
        posterior = exact_posterior(problem.select(torch.tensor([0])), prior.prior)
        gain = posterior.covariance / problem.noise.sigma**2
        mean = prior.prior.mean.flatten()
        pull = problem.operator.rmatvec(problem.y - problem.operator(prior.prior.mean[None]))
        spread = white.flatten(1) @ torch.linalg.cholesky(posterior.covariance.double()).T.float()
        x = (mean + pull.flatten(1) @ gain + width * spread).reshape(x.shape)
        yield Step(x, x, 0.0)


@pytest.mark.usefixtures("truths")
def test_exact_draws_are_calibrated_and_narrow_or_wide_ones_are_not() -> None:
    def scores(method: str, **options: float) -> list[float]:
        full = {} if method == EXACT else METHODS[method].options(options)
        outcomes = [run(Cell("sbc-gaussian", method, full, 39, k, 0)) for k in range(3)]
        assert not any(outcome.refusal for outcome in outcomes)
        return [sum(o.scores[m.name] for o in outcomes) / 3 for m in METRICS]

    floor, exact = scores(EXACT), scores("draws")
    assert exact[0] == pytest.approx(floor[0], rel=0.25)
    assert exact[1] == pytest.approx(1, abs=0.5)
    assert exact[2] < 0.2
    assert exact[3] == pytest.approx(0.9, abs=0.03)
    for width, coverage in ((0.5, 0.6), (2.0, 0.99)):
        wrong = scores("draws", width=width)
        assert wrong[0] > 1.3 * floor[0]
        assert wrong[1] > 2
        assert wrong[2] > 0.4
        assert wrong[3] == pytest.approx(coverage, abs=0.06)


def test_samples_that_ignore_the_measurement_are_seen_by_the_likelihood() -> None:
    """Draws from the prior have uniform ranks in every projection (Modrák et al. 2023)."""
    prior = GaussianPrior(torch.zeros(1, 4, 4), 1.0)
    instance = instance_of(prior, prior.sample(PAIRS, 0), Identity((1, 4, 4)), 1.0, 0)
    n = 39
    samples = prior.sample(n * PAIRS, 1).reshape(n, PAIRS, 1, 4, 4)
    ignored = instance.score(samples)
    problem = instance.problem
    posterior = 0.5 * problem.y + 0.5**0.5 * prior.sample(n * PAIRS, 2).reshape(samples.shape)
    known = instance.score(posterior)
    assert ignored["chi-square"] > known["chi-square"] + 1
    assert isinstance(problem.noise, GaussianNoise)
    assert isinstance(problem, InverseProblem)


def test_an_instance_is_what_the_problem_says() -> None:
    problem = PROBLEMS["sbc-gaussian"]
    instance, again, other = problem.build(1), problem.build(1), problem.build(2)
    assert instance.problem.count == problem.measurements
    assert len(instance.problem.y) == PAIRS
    torch.testing.assert_close(instance.problem.y, again.problem.y, rtol=0, atol=0)
    assert not torch.allclose(instance.problem.y, other.problem.y)
    assert instance.floor(19) == again.floor(19)
    assert set(instance.floor(19)) >= {metric.name for metric in problem.metrics}
