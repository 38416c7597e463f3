"""The residual of exact posterior samples is that of the noise; of wrong noise it is not."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from invscore import GaussianNoise, GaussianPrior, InverseProblem, PoissonNoise, reconstruct
from invscore.exact import exact_posterior
from invscore.likelihood import Noise, simulate
from invscore.methods import METHODS
from invscore.operators import (
    MRI,
    Blur,
    Identity,
    Inpainting,
    LinearOperator,
    from_function,
    from_matrix,
)
from invscore.uncertainty import check_residual

F64 = torch.float64


def prior(side: int) -> GaussianPrior:
    """Smooth images: most of what a measurement has beyond them is noise."""
    places = torch.arange(float(side), dtype=F64)
    place = torch.cartesian_prod(places, places)
    covariance = torch.exp(-(torch.cdist(place, place) ** 2) / (side**2 / 2))
    covariance += 1e-3 * torch.eye(side**2, dtype=F64)
    return GaussianPrior(torch.full((1, side, side), 0.5, dtype=F64), covariance)


def matrix(rows: int, shape: tuple[int, ...]) -> LinearOperator:
    generator = torch.Generator().manual_seed(rows)
    entries = torch.randn(rows, math.prod(shape), generator=generator, dtype=F64)
    return from_matrix(entries / shape[-1], shape)


OPERATORS: dict[str, Callable[[tuple[int, int, int]], LinearOperator]] = {
    "identity": Identity,
    "blur": lambda shape: Blur.gaussian(1.0, shape),
    "holes": lambda shape: Inpainting.random(shape, keep=0.5),
    "wide matrix": lambda shape: matrix(9, shape),
    "tall matrix": lambda shape: matrix(130, shape),
    "Fourier samples": lambda shape: MRI.random(shape, 2.0, 0.2, 0, True),
}


def posterior_samples(
    name: str, noise: float, declared: float, *, side: int, count: int, samples: int
) -> tuple[InverseProblem, Tensor]:
    """Measurements of images of the prior, and samples (n, b, ...) of what is declared of them."""
    law, operator = prior(side), OPERATORS[name]((1, side, side))
    y = simulate(operator, law.sample(count, 0), GaussianNoise(noise), 1)
    problem = InverseProblem(operator, y, GaussianNoise(declared))
    drawn = [
        exact_posterior(problem.select(torch.tensor([k])), law).sample(samples, 1000 * (k + 1))
        for k in range(count)
    ]
    return problem, torch.stack(drawn, dim=1)


@pytest.mark.parametrize("noise", [0.01, 0.3, 10.0])
@pytest.mark.parametrize("name", OPERATORS)
def test_exact_samples_have_the_residual_of_the_noise(name: str, noise: float) -> None:
    count = 60
    problem, drawn = posterior_samples(name, noise, noise, side=6, count=count, samples=2)
    one = check_residual(problem, drawn[:1])
    several = check_residual(problem, drawn)
    m = problem.count
    for found in (one, several):
        energy = found.ratio**2
        assert float(energy.mean()) == pytest.approx(1, abs=4 * (2 / m / count) ** 0.5)
        assert (found.too_large | found.too_small).sum() <= 2, "one in a thousand is expected"
    # The spread is that of chi-square, for one sample; of four moments, hence the width.
    spread = (one.ratio**2).var() * m / 2
    assert float(spread) == pytest.approx(1, abs=4 * ((2 + 12 / m) / count) ** 0.5)


@pytest.mark.parametrize("name", ["identity", "blur", "holes", "tall matrix", "Fourier samples"])
@pytest.mark.parametrize("noise", [0.5, 2.0])
def test_noise_that_is_declared_wrong_by_a_factor_of_two_is_noticed(
    name: str, noise: float
) -> None:
    chosen = {"side": 12, "count": 3, "samples": 4}
    right = check_residual(*posterior_samples(name, noise, noise, **chosen))
    assert not (right.too_large | right.too_small).any()
    more = check_residual(*posterior_samples(name, noise, noise / 2, **chosen))
    assert more.too_large.all()
    assert not more.too_small.any()
    less = check_residual(*posterior_samples(name, noise, 2 * noise, **chosen))
    assert less.too_small.all()
    assert not less.too_large.any()


@pytest.mark.parametrize("noise", [PoissonNoise(3.0), GaussianNoise(0.2)])
def test_any_prior_any_operator_any_noise(noise: Noise) -> None:
    """One of thirty images, each as likely, seen by a square: the posterior is a table."""
    generator = torch.Generator().manual_seed(0)
    candidates = torch.rand(30, 4, generator=generator, dtype=F64)
    operator = from_function(lambda x: x**2 + 0.05, (4,), linear=False)
    count = 20_000
    chosen = torch.randint(30, (count,), generator=generator)
    y = simulate(operator, candidates[chosen], noise, 3)
    logs = torch.stack(
        [
            InverseProblem(operator, y, noise).log_likelihood(x.expand(count, -1))
            for x in candidates
        ],
        dim=1,
    )
    drawn = torch.multinomial(logs.softmax(dim=1), 1, generator=generator)[:, 0]
    assert 0.05 < float((drawn == chosen).double().mean()) < 0.95, "y leaves a doubt"
    problem = InverseProblem(operator, y, noise)
    energy = check_residual(problem, candidates[drawn][None]).ratio ** 2
    expected = problem.discrepancy_variance(candidates[drawn]).mean()
    assert float(energy.mean()) == pytest.approx(1, abs=4 * float(expected / count) ** 0.5)
    assert float(energy.var() / expected) == pytest.approx(1, abs=0.1)


def test_photons_that_are_declared_wrong_are_noticed() -> None:
    truth = torch.full((2, 1, 20, 20), 0.5, dtype=F64)
    operator = Identity((1, 20, 20))
    y = simulate(operator, truth, PoissonNoise(50.0), 0)
    for photons, large in ((200.0, True), (12.5, False)):
        found = check_residual(InverseProblem(operator, y, PoissonNoise(photons)), truth[None])
        assert found.too_large.tolist() == [large] * 2
        assert found.too_small.tolist() == [not large] * 2


def test_what_chance_does_is_let_pass() -> None:
    """Of four numbers, three times the energy or a third of it is nothing strange."""
    energy = torch.tensor([3.0, 0.3, 1.9, 0.6], dtype=F64)
    few, many = (
        check_residual(
            InverseProblem(Identity((m,)), torch.zeros(4, m, dtype=F64), GaussianNoise(0.1)),
            0.1 * energy.sqrt()[None, :, None].expand(1, 4, m),
        )
        for m in (4, 400)
    )
    torch.testing.assert_close(few.ratio**2, energy)
    assert few.warnings() == ()
    assert many.too_large.tolist() == [True, False, False, False]
    assert many.too_small.tolist() == [False, True, False, False]


def test_the_tails_are_those_of_chi_square() -> None:
    # Of chi-square with 9 degrees of freedom, 5e-4 lie below 0.9717 and above 29.6658.
    problem = InverseProblem(Identity((9,)), torch.zeros(4, 9, dtype=F64), GaussianNoise(1.0))
    energy = torch.tensor([0.971, 0.973, 29.66, 29.67], dtype=F64) / 9
    found = check_residual(problem, energy.sqrt()[None, :, None].expand(1, 4, 9))
    assert found.too_small.tolist() == [True, False, False, False]
    assert found.too_large.tolist() == [False, False, False, True]


def test_sentences() -> None:
    problem = InverseProblem(Identity((400,)), torch.zeros(3, 400), GaussianNoise(0.1))
    ratios = torch.tensor([2.0, 1.0, 3.0])
    found = check_residual(problem, 0.1 * ratios[None, :, None].expand(1, 3, 400))
    assert found.warnings() == (
        "the residual y - A x of 2 of 3 measurements is 2.00 to 3.00 times the declared noise, "
        "where 1 is expected: the noise is more than declared, the operator is another, or steps "
        "are too few",
    )
    one = InverseProblem(Identity((400,)), torch.zeros(1, 400), GaussianNoise(0.1))
    small = torch.full((2, 1, 400), 0.05)
    (sentence,) = check_residual(one, small).warnings()
    assert sentence.startswith("the residual y - A x is 0.50 times the declared noise")
    assert "has fitted the noise" in sentence
    assert check_residual(one, small, point_estimate=True).warnings() == ()
    assert check_residual(one, 6 * small, point_estimate=True).warnings() != ()


def test_the_result_of_a_reconstruction_warns() -> None:
    law, operator = prior(6), OPERATORS["tall matrix"]((1, 6, 6))
    truth = law.sample(1, 0)
    y = simulate(operator, truth, GaussianNoise(0.5), 1)

    def found(sigma: float, method: str) -> tuple[str, ...]:
        problem = InverseProblem(operator, y, GaussianNoise(sigma))
        result = reconstruct(problem, law, method=method, samples=2, steps=50, scale=1.0)
        energy = torch.stack([problem.discrepancy(x) ** 2 for x in result.samples]).mean(dim=0)
        torch.testing.assert_close(result.residual, energy.sqrt())
        return result.warnings

    assert found(0.5, "mmps") == ()
    assert "the noise is more than declared" in found(0.25, "mmps")[0]
    assert "less of it than declared" in found(1.0, "mmps")[0]
    assert "the noise is more than declared" in found(0.25, "map")[0]
    assert found(1.0, "map") == ()


def test_point_estimates_are_known() -> None:
    estimates = {name for name, info in METHODS.items() if info.point_estimate}
    assert {"map", "red", "hqs"} <= estimates
    assert not estimates & {name for name, info in METHODS.items() if info.exact}
    assert "diffpir" not in estimates
