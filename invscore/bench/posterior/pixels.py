"""Independent pixels behind a function of each: posteriors by quadrature, pixel by pixel.

100 pixels and as many numbers, so that methods for few numbers do not apply: how well is a method
that is not told of the independence calibrated where the operator bends?
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from invscore.batches import PerImage, per_image
from invscore.bench.posterior.problem import (
    Instance,
    Metric,
    Problem,
    Scores,
    exact_rng,
    mean_floor,
    register,
)
from invscore.likelihood import GaussianNoise, InverseProblem, simulate
from invscore.operators import NonlinearOperator
from invscore.priors import Prior
from invscore.rng import SampleRNG, sample_rng

SHAPE = (1, 10, 10)
COUNT = 100
NOISE = 0.2
REACH, CELLS = 8.0, 4001
MARGINAL = Metric(
    "marginal W1",
    "mean over pixels of the Wasserstein-1 distance to as many exact samples of the pixel",
)


class IndependentPixels(Prior):
    """Pixels that are each drawn from ``sum_k weights_k N(means_k, widths_k^2)``."""

    def __init__(self, weights: list[float], means: list[float], widths: list[float]) -> None:
        self.weights = torch.tensor(weights, dtype=torch.float64)
        self.means = torch.tensor(means, dtype=torch.float64)
        self.widths = torch.tensor(widths, dtype=torch.float64)
        mean = float(self.weights @ self.means)
        self.mean = mean
        self.variance = float(self.weights @ (self.widths**2 + (self.means - mean) ** 2))

    def _parts(self, x: Tensor, sigma: PerImage) -> tuple[Tensor, Tensor, Tensor]:
        """Probability, gain and mean of each pixel and component, on a last axis."""
        logs, total = self._logs(x, sigma)
        return logs.softmax(dim=-1), self.widths.to(x) ** 2 / total, self.means.to(x)

    def _logs(self, x: Tensor, sigma: PerImage) -> tuple[Tensor, Tensor]:
        """Log-density, less a constant, and variance of each pixel and component."""
        total = self.widths.to(x) ** 2 + per_image(sigma, x)[..., None] ** 2
        away = (x[..., None] - self.means.to(x)) ** 2 / total
        return self.weights.to(x).log() - 0.5 * (total.log() + away), total

    def denoise(self, x: Tensor, sigma: PerImage) -> Tensor:
        share, gain, means = self._parts(x, sigma)
        return (share * (means + gain * (x[..., None] - means))).sum(dim=-1)

    def log_density(self, x: Tensor, sigma: PerImage = 0.0) -> Tensor:
        """``log p(x, sigma)`` of images (b, \\*shape) of any number of pixels: (b,)."""
        logs, _ = self._logs(x, sigma)
        return (logs.logsumexp(dim=-1) - 0.5 * math.log(2 * math.pi)).flatten(1).sum(dim=1)

    def sample(self, n: int, rng: SampleRNG | int = 0) -> Tensor:
        """``n`` images, (n, \\*SHAPE)."""
        rng = sample_rng(rng, n, "prior")
        like = torch.zeros(n, *SHAPE, dtype=torch.float64)
        chosen = torch.searchsorted(
            self.weights.cumsum(0), torch.special.ndtr(rng.normal_like(like)), right=True
        ).clamp_max(len(self.weights) - 1)
        return self.means[chosen] + self.widths[chosen] * rng.normal_like(like)


class Pixelwise(NonlinearOperator):
    """``y = f(x)``, pixel by pixel."""

    in_shape = out_shape = SHAPE

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        self.function = function

    def __call__(self, x: Tensor) -> Tensor:
        return self.function(x)


Law = tuple[list[float], list[float], list[float]]
"""Weights, means and standard deviations of a mixture of Gaussians on the line."""

GAUSSIAN: Law = ([1.0], [0.0], [1.0])
SPARSE: Law = ([0.7, 0.3], [0.0, 0.0], [0.1, 1.5])

KINDS: dict[str, tuple[Callable[[Tensor], Tensor], Law, str]] = {
    "exp": (torch.exp, GAUSSIAN, "standard normal pixels, known by exp(x)"),
    "square": (torch.square, SPARSE, "sparse pixels, known by their squares"),
    "saturation": (torch.tanh, GAUSSIAN, "standard normal pixels, known by tanh(x)"),
}


def build(seed: int, kind: str) -> Instance:
    """An image and its measurement, drawn anew."""
    function, law, _ = KINDS[kind]
    prior, noise = IndependentPixels(*law), GaussianNoise(NOISE)
    operator = Pixelwise(function)
    y = simulate(operator, prior.sample(1, seed), noise, seed)
    problem = InverseProblem(operator, y, noise)
    points = torch.linspace(-REACH, REACH, CELLS, dtype=torch.float64)
    misfit = (y.flatten()[:, None] - function(points)) / NOISE
    masses = (prior.log_density(points[:, None]) - 0.5 * misfit**2).softmax(dim=1)
    edges = masses.cumsum(dim=1)

    def exact(n: int, rng: SampleRNG) -> Tensor:
        """Inverse transform sampling of each pixel, between points: (n, pixels)."""
        uniform = torch.special.ndtr(rng.normal_like(torch.zeros(n, COUNT, dtype=torch.float64)))
        place = torch.searchsorted(edges, uniform.T.contiguous()).clamp_max(CELLS - 1)
        jitter = torch.special.ndtr(rng.normal_like(uniform)) - 0.5
        return points[place].T + (points[1] - points[0]) * jitter

    def score(samples: Tensor) -> Scores:
        n = len(samples)
        there = exact(n, exact_rng(seed, n, "reference")).sort(dim=0).values
        here = samples.double().flatten(1).sort(dim=0).values
        return {MARGINAL.name: float((here - there).abs().mean())}

    return Instance(problem, prior, score, mean_floor(score, exact, seed))


for kind, entry in KINDS.items():
    register(
        Problem(
            name=f"pixels-{kind}",
            what=f"100 {entry[2]}",
            dim=COUNT,
            measurements=COUNT,
            noise=NOISE,
            metrics=(MARGINAL,),
            samples=1000,
            build=partial(build, kind=kind),
        )
    )
