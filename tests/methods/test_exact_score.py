"""The exact score against posteriors in closed form."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from invscore import Prior, reconstruct
from invscore.bench.posterior.metrics import total_variation
from invscore.exact import exact_posterior
from invscore.likelihood import GaussianNoise, InverseProblem, simulate
from invscore.methods import METHODS
from invscore.methods.common.conditioned import conditioned
from invscore.methods.common.information import information
from invscore.operators import (
    MRI,
    Blur,
    Inpainting,
    LinearOperator,
    SuperResolution,
    from_matrix,
    stack,
)
from invscore.priors import GaussianMixturePrior, GaussianPrior, StationaryGaussianPrior
from invscore.rng import SampleRNG

F64 = torch.float64
SHAPE = (1, 8, 8)


def randn(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=F64)


def mixture(width: float | Tensor = 0.2, seed: int = 3) -> GaussianMixturePrior:
    weights = torch.tensor([0.5, 0.3, 0.2], dtype=F64)
    return GaussianMixturePrior(randn(seed, 3, *SHAPE), width, weights)


def measured(operator: LinearOperator, prior: Any, s: float = 0.1) -> InverseProblem:
    noise = GaussianNoise(s)
    return InverseProblem(operator, simulate(operator, prior.sample(1, 5), noise, 6), noise)


HALF = Inpainting((torch.arange(8) < 4)[:, None].expand(8, 8), SHAPE)
OPERATORS: dict[str, tuple[LinearOperator, str]] = {
    "mask": (HALF, "pixels"),
    "weights": (Inpainting(torch.rand(8, 8, dtype=F64), SHAPE), "pixels"),
    "two masks": (stack([HALF, Inpainting.random(SHAPE, 0.5)]), "pixels"),
    "blur": (Blur.gaussian(sigma=1.5, in_shape=SHAPE, boundary="circular"), "frequencies"),
    "lines": (MRI(torch.arange(8) % 3 == 1, SHAPE, real=True), "frequencies"),
    "superres": (SuperResolution(factor=2, in_shape=SHAPE), "matrix"),
    "matrix": (from_matrix(randn(8, 20, 64), in_shape=SHAPE), "matrix"),
}


@pytest.mark.parametrize("sigma", [0.03, 0.5, 20.0])
@pytest.mark.parametrize("name", OPERATORS)
def test_its_denoiser_is_that_of_the_posterior(name: str, sigma: float) -> None:
    """E[x0 | x, y] is what the posterior, as a prior, denoises x to."""
    operator, kind = OPERATORS[name]
    prior = mixture()
    found = information(operator, prior.means, prior.noise_kinds)
    assert found is not None
    assert found.basis.kind == kind
    problem = measured(operator, prior)
    x = prior.sample(4, 8) + sigma * randn(9, 4, *SHAPE)
    denoise = conditioned(
        problem.select(torch.zeros(4, dtype=torch.long)), prior, method="exact_score"
    )
    expected = exact_posterior(problem, prior).denoise(x, sigma)
    torch.testing.assert_close(denoise(x, sigma), expected, rtol=1e-6, atol=1e-6)


def test_each_image_has_its_own_level_and_noise() -> None:
    prior = mixture(torch.tensor([0.02, 0.2, 0.7], dtype=F64))
    y, sigma = measured(HALF, prior).y, torch.tensor([0.3, 2.0], dtype=F64)
    apart = [InverseProblem(HALF, y, GaussianNoise(s)) for s in (0.05, 0.4)]
    both = InverseProblem(HALF, y.repeat(2, 1, 1, 1), GaussianNoise(torch.tensor([0.05, 0.4])))
    x = randn(1, 2, *SHAPE)
    found = conditioned(both, prior, method="exact_score")(x, sigma)
    for index, problem in enumerate(apart):
        image = slice(index, index + 1)
        expected = exact_posterior(problem, prior).denoise(x[image], sigma[image])
        torch.testing.assert_close(found[image], expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", ["mask", "blur", "superres"])
def test_law_on_a_gaussian_at_the_defaults(name: str, law: Callable[..., Any]) -> None:
    """20 evaluations: means within 1 % of a deviation, deviations within 3 %, in any direction."""
    field = StationaryGaussianPrior.power_law((1, 4, 4), variance=0.3, mean=0.5, dtype=F64)
    operator = {
        "mask": Inpainting((torch.arange(4) < 2)[:, None].expand(4, 4), (1, 4, 4)),
        "blur": Blur.gaussian(sigma=1.0, in_shape=(1, 4, 4), boundary="circular"),
        "superres": SuperResolution(factor=2, in_shape=(1, 4, 4)),
    }[name]
    problem = measured(operator, field, 0.02)
    posterior = exact_posterior(problem, GaussianPrior(field.mean, field.dense_covariance()))
    mean, covariance = law("exact_score", problem, field)
    root = torch.linalg.cholesky(posterior.covariance)
    white = torch.linalg.solve_triangular(
        root, (mean - posterior.mean.flatten())[:, None], upper=False
    )
    assert white.abs().max() < 0.01
    half = torch.linalg.solve_triangular(root, covariance, upper=False)
    shape = torch.linalg.solve_triangular(root, half.T, upper=False)
    assert (torch.linalg.eigvalsh(shape).sqrt() - 1).abs().max() < 0.03


def hidden_half(seed: int, far: float) -> tuple[GaussianMixturePrior, LinearOperator]:
    """Images of which the upper half leaves four lower ones open."""
    seen, open_ = randn(seed, 1, 1, 4, 8), far * randn(seed + 1, 4, 1, 4, 8)
    means = torch.cat([seen.expand(4, -1, -1, -1), open_], dim=2)
    weights = torch.tensor([0.4, 0.3, 0.2, 0.1], dtype=F64)
    return GaussianMixturePrior(means, 0.09, weights), HALF


def checkers(seed: int, far: float) -> tuple[GaussianMixturePrior, LinearOperator]:
    """A blur that hides which of two checkerboards there is."""
    row = (-1.0) ** torch.arange(8, dtype=F64)
    board = far * row[:, None] * row
    means = 0.3 * randn(seed, 1, *SHAPE) + torch.stack([board, -board])[:, None]
    weights = torch.tensor([0.15, 0.85], dtype=F64)
    operator = Blur.gaussian(sigma=1.2, in_shape=SHAPE, boundary="circular")
    return GaussianMixturePrior(means, 0.09, weights), operator


def unequal(seed: int, far: float) -> tuple[GaussianMixturePrior, LinearOperator]:
    """A narrow and a wide mode at the same place where little is measured."""
    means = far * randn(seed, 1, *SHAPE).expand(2, -1, -1, -1)
    widths = torch.tensor([0.01, 0.25], dtype=F64)
    operator = Inpainting((torch.arange(64) == 11).reshape(8, 8), SHAPE)
    return GaussianMixturePrior(means, widths, torch.tensor([0.3, 0.7], dtype=F64)), operator


@pytest.mark.parametrize("far", [1.0, 3.0])
@pytest.mark.parametrize("build", [hidden_half, checkers, unequal])
def test_many_modes_at_the_defaults(build: Any, far: float) -> None:
    """The weights of modes within 4 standard errors, the largest as wide as it is."""
    prior, operator = build(11, far)
    problem, count = measured(operator, prior, 0.05), 1000
    posterior = exact_posterior(problem, prior)
    result = reconstruct(problem, prior, samples=count, antithetic=False)
    assert result.method == "exact_score"
    assert result.evaluations == 20
    samples = result.samples[:, 0]
    weights = prior.responsibilities(samples, 0.0).mean(dim=0)
    spread = (posterior.weights * (1 - posterior.weights) / count).sqrt()
    assert ((weights - posterior.weights).abs() < 4 * spread + 0.005).all()
    assert total_variation(weights, posterior.weights) < 0.05
    largest = int(posterior.weights.argmax())
    mine = samples[prior.responsibilities(samples, 0.0).argmax(dim=1) == largest].flatten(1)
    each = posterior.covariances[largest if len(posterior.covariances) > 1 else 0].diagonal
    white = (mine - posterior.means[largest].flatten()) / each.sqrt()
    assert white.mean(dim=0).square().mean().sqrt() < 1.2 / len(mine) ** 0.5
    assert float(white.var(dim=0).mean()) == pytest.approx(1, abs=0.07)
    if problem.count > 10:
        assert 0.9 < float(result.residual.mean()) < 1.1


@pytest.mark.parametrize("sampler", ["ddim", "heun", "adaptive", "pc"])
def test_every_sampler_serves(sampler: str) -> None:
    prior, operator = hidden_half(2, 1.0)
    problem = measured(operator, prior)
    posterior = exact_posterior(problem, prior)
    steps = {"adaptive": 3}.get(sampler, 60)
    result = reconstruct(
        problem,
        prior,
        method="exact_score",
        sampler=sampler,
        steps=steps,
        samples=400,
        antithetic=False,
    )
    weights = prior.responsibilities(result.samples[:, 0], 0.0).mean(dim=0)
    assert total_variation(weights, posterior.weights) < 0.08
    assert float(result.samples.var(dim=0).mean() / posterior.std.square().mean()) == pytest.approx(
        1, abs=0.15
    )


def test_noise_far_below_the_last_level_is_kept() -> None:
    prior, operator = hidden_half(4, 1.0)
    problem = measured(operator, prior, 1e-4)
    result = reconstruct(problem, prior, method="exact_score", samples=50)
    assert float(result.residual.mean()) == pytest.approx(1, abs=0.1)


def test_refusals() -> None:
    class Plain(Prior):
        mean, variance = 0.0, 1.0

        def denoise(self, x: Tensor, sigma: Any) -> Tensor:
            return x / (1 + sigma**2)

    problem = measured(HALF, mixture())
    with pytest.raises(ValueError, match="exact_score needs a prior that denoises noise as"):
        next(METHODS["exact_score"].run(problem, Plain(), SampleRNG([(0,)])))
    wide = StationaryGaussianPrior.power_law((1, 64, 64), dtype=F64)
    mask = Inpainting.random((1, 64, 64))
    with pytest.raises(ValueError, match="knows noise that differs between frequencies"):
        reconstruct(measured(mask, wide), wide, method="exact_score")


@pytest.mark.parametrize("variance", [1.0, 1e8])
def test_the_last_step_of_independent_pixels(variance: float) -> None:
    """Hidden ones to (1 + J) / 2, seen ones of a wide prior to the root of the flow's gain."""
    s, sigma, seen = 0.2, 0.3, torch.arange(64).reshape(SHAPE) % 2 == 0
    prior = GaussianPrior(torch.full(SHAPE, 0.5, dtype=F64), variance)
    operator, noise = Inpainting(seen, SHAPE), GaussianNoise(s)
    y, x = operator(randn(0, 1, *SHAPE)), randn(1, 1, *SHAPE)
    problem = InverseProblem(operator, y, noise)
    denoise = conditioned(problem, prior, method="exact_score")
    last = denoise.rule.last(problem, x, denoise(x, sigma), sigma)  # type: ignore[attr-defined]
    gain = variance / (variance + sigma**2)
    hidden = 0.5 + (1 + gain) / 2 * (x - 0.5)
    torch.testing.assert_close(last[:, ~seen], hidden[:, ~seen])
    if variance > 1:
        flow = y + (s**2 / (s**2 + sigma**2)) ** 0.5 * (x - y)
        torch.testing.assert_close(last[:, seen], flow[:, seen], rtol=1e-6, atol=1e-6)
