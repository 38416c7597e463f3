"""Levy processes as problems of the bench."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from invscore.bench.posterior import PROBLEMS, levy
from invscore.bench.posterior.levy import (
    DIM,
    OPERATORS,
    SHAPE,
    Gold,
    gap,
    measured_numbers,
    noise_level,
    operator_of,
    region_mass,
)
from invscore.bench.posterior.levy_laws import LAWS
from invscore.bench.posterior.problem import select
from invscore.driver import reconstruct
from invscore.exact import exact_posterior
from invscore.operators import check_operator
from invscore.priors import GaussianPrior

F64 = torch.float64


@pytest.fixture
def short_chains(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"CHAINS": 40, "BURN_IN": 10, "STEPS": 20}.items():
        monkeypatch.setattr(levy, name, value)


@pytest.mark.parametrize("name", OPERATORS)
def test_operators(name: str) -> None:
    operator = operator_of(name)
    check_operator(operator).raise_if_failed()
    y = operator(torch.randn(1, *SHAPE, generator=torch.Generator().manual_seed(0), dtype=F64))
    numbers, matrix = measured_numbers(operator, y)
    assert matrix.shape == (OPERATORS[name][1], DIM) == (len(numbers), DIM)
    x = torch.randn(DIM, generator=torch.Generator().manual_seed(0), dtype=F64)
    torch.testing.assert_close(matrix @ x, numbers)
    if name != "convolution":
        torch.testing.assert_close(matrix @ matrix.T, torch.eye(len(numbers), dtype=F64))
    else:
        torch.testing.assert_close(matrix.sum(dim=1), torch.ones(DIM, dtype=F64))
        assert int((matrix[0] > 1e-9).sum()) == 13


def test_the_noise_is_25_decibels_below_the_median_signal() -> None:
    for law, operator in (("laplace", "identity"), ("student1", "fourier")):
        x = LAWS[law].sample((4000, DIM), np.random.default_rng(7)).cumsum(dim=1)
        _, matrix = measured_numbers(
            operator_of(operator), operator_of(operator)(x[:1, None, None])
        )
        power = (x @ matrix.T).square().mean(dim=1).median()
        snr = 10 * torch.log10(power / noise_level(law, operator) ** 2)
        assert float(snr) == pytest.approx(25, abs=0.6)


def test_problems_and_their_names() -> None:
    assert [p.name for p in select(["levy-laplace-convolution"])] == ["levy-laplace-convolution"]
    finite = [name for name, law in LAWS.items() if law.variance < math.inf]
    assert len(select(["levy"])) == (len(LAWS) + len(finite)) * len(OPERATORS)
    assert [p.name for p in select(["levy-learned-*-fourier"])] == [
        f"levy-learned-{name}-fourier" for name in finite
    ]
    assert [p.name for p in select(["levy"]) if p.standard] == [
        "levy-laplace-convolution",
        "levy-bernoulli-sampling",
    ]


@pytest.mark.usefixtures("short_chains")
@pytest.mark.parametrize("name", ["levy-gauss-fourier", "levy-bernoulli-sampling"])
def test_an_instance_is_what_the_problem_says(name: str) -> None:
    problem = PROBLEMS[name]
    instance, again, other = problem.build(1), problem.build(1), problem.build(2)
    assert instance.problem.count == problem.measurements
    assert instance.problem.noise.sigma == problem.noise
    torch.testing.assert_close(instance.problem.y, again.problem.y, rtol=0, atol=0)
    assert not torch.allclose(instance.problem.y, other.problem.y)
    floor = instance.floor(50)
    assert floor == again.floor(50)
    assert set(floor) == {metric.name for metric in problem.metrics}
    far = instance.score(torch.zeros(50, *SHAPE) + 10 * instance.prior.variance**0.5)
    assert far["sliced W1"] > 3 * floor["sliced W1"]
    assert far["gap"] > 10


@pytest.mark.usefixtures("short_chains")
def test_draws_of_the_posterior_score_at_the_floor_and_wide_ones_do_not() -> None:
    """The Gaussian process, whose posterior has a closed form."""
    instance = PROBLEMS["levy-gauss-convolution"].build(0)
    sums = torch.tril(torch.ones(DIM, DIM, dtype=F64))
    prior = GaussianPrior(torch.zeros(*SHAPE, dtype=F64), 0.25 * sums @ sums.T)
    posterior = exact_posterior(instance.problem, prior)
    n = 400
    draws = posterior.sample(n, 3)
    exact, floor = instance.score(draws), instance.floor(n)
    assert exact["gap"] == pytest.approx(10 * math.log10(1 + 1 / n), rel=0.6)
    assert exact["coverage"] == pytest.approx(0.9, abs=0.05)
    assert exact["sliced W1"] == pytest.approx(floor["sliced W1"], rel=0.5)
    narrow = instance.score(posterior.mean + 0.8 * (draws - posterior.mean))
    assert narrow["coverage"] < 0.3
    assert narrow["gap"] == pytest.approx(exact["gap"] * 0.64, rel=0.05)
    shifted = instance.score(draws + 0.1)
    assert shifted["gap"] > 5 * exact["gap"]


def test_gap_and_region() -> None:
    gold = Gold(torch.zeros(4, dtype=F64), 2.0, torch.zeros(1, 4), torch.zeros(1, 4))
    assert gap(torch.full((4,), 0.5, dtype=F64), gold) == pytest.approx(10 * math.log10(1.5))
    # A density that is uniform on [0, 1]: of n samples, the 90 % above the lowest tenth.
    generator = torch.Generator().manual_seed(0)
    known = torch.rand(4000, generator=generator, dtype=F64).sort().values
    masses = [
        region_mass(torch.rand(50, generator=generator, dtype=F64), known) for _ in range(200)
    ]
    assert sum(masses) / 200 == pytest.approx(0.9, abs=4.5 * 0.042 / 200**0.5)
    assert region_mass(torch.linspace(0.5, 1, 99, dtype=F64), known) == pytest.approx(
        0.45, abs=0.03
    )
    assert region_mass(torch.full((50,), 2.0, dtype=F64), known) == 0


@pytest.mark.usefixtures("short_chains")
def test_a_method_finds_the_posterior_mean() -> None:
    instance = PROBLEMS["levy-laplace-identity"].build(0)
    result = reconstruct(instance.problem, instance.prior, method="mmps", samples=20, steps=20)
    found = instance.score(result.samples[:, 0])
    at_measurement = instance.score(instance.problem.y.expand(20, *SHAPE))
    assert found["gap"] < 0.6 * at_measurement["gap"]
