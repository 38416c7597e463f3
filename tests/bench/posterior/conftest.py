"""Methods made for the tests of the bench: one that is right, and others that are not."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from invscore.exact import exact_posterior
from invscore.likelihood import InverseProblem
from invscore.methods import METHODS, Step, register
from invscore.priors import Prior
from invscore.rng import SampleRNG


def _posterior_draws(
    problem: InverseProblem, prior: Prior, rng: SampleRNG, widening: float
) -> Iterator[Step]:
    counted = prior  # the driver counts evaluations; the formulas want the prior itself
    posterior = exact_posterior(problem.select(torch.tensor([0])), counted.prior)
    x = posterior.sample(len(problem.y), rng)
    x = posterior.mean + widening * (x - posterior.mean)
    yield Step(x, x, 0.0)


@pytest.fixture
def made_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Registers ``truth`` (exact draws), ``wide`` (twice their deviation) and ``astray`` (NaN)."""
    for name in ("truth", "wide", "astray"):
        monkeypatch.setitem(METHODS, name, METHODS["dps"])  # taken out again after the test

    @register("truth", exact=True, cites="a test")
    def truth(problem, prior, rng, *, steps: int = 1) -> Iterator[Step]:  # noqa: ARG001
        """Exact draws."""
        yield from _posterior_draws(problem, prior, rng, 1.0)

    @register("wide", exact=False, cites="a test")
    def wide(problem, prior, rng, *, steps: int = 1) -> Iterator[Step]:  # noqa: ARG001
        """Exact draws, twice as far from the mean: a sigma doubled."""
        yield from _posterior_draws(problem, prior, rng, 2.0)

    @register("astray", exact=False, cites="a test")
    def astray(problem, prior, rng, *, steps: int = 1) -> Iterator[Step]:  # noqa: ARG001
        """Numbers that are not."""
        x = prior.denoise(rng.normal_like(problem.operator.rmatvec(problem.y)), 1.0)
        yield Step(x / 0, x, 0.0)
