"""Distances between samples and a known posterior."""

from __future__ import annotations

import torch
from torch import Tensor

from invscore.bench.posterior.problem import Metric, Scores
from invscore.uncertainty.intervals import order_statistic

SLICES = 1000
CREDIBLE = 0.9

SLICED = Metric("sliced W1", "sliced Wasserstein-1 distance to as many exact samples")
WEIGHTS = Metric("mode weights", "total variation between the masses of the prior's components")
MARGINALS = Metric(
    "marginals", "rms Wasserstein-2 distance of a pixel's law, in posterior standard deviations"
)
MEAN = Metric("mean", "rms error of the mean of the samples, in posterior standard deviations")
VARIANCE = Metric("variance", "rms relative error of the variance of a pixel")
COVARIANCE = Metric("covariance", "rms error of the whitened covariance, a direction")
COVERAGE = Metric(
    "coverage", "posterior mass of the samples' central 90 % interval of a pixel", CREDIBLE
)


def sliced_wasserstein(x: Tensor, y: Tensor, generator: torch.Generator) -> float:
    """The mean over random directions of the Wasserstein-1 distance of the projections.

    ``x``, ``y``: as many samples of the same shape, (n, \\*shape). Directions are uniform on the
    unit sphere (Bonneel et al. 2015), ``SLICES`` of them.
    """
    x, y = x.flatten(1), y.flatten(1)
    directions = torch.randn(SLICES, x.shape[1], generator=generator, dtype=x.dtype)
    directions = directions / directions.norm(dim=1, keepdim=True)
    # Of two laws on the line, the optimal plan pairs the order statistics.
    apart = (directions @ x.T).sort(dim=1).values - (directions @ y.T).sort(dim=1).values
    return float(apart.abs().mean())


def total_variation(p: Tensor, q: Tensor) -> float:
    """``sum |p - q| / 2`` of two vectors of probabilities: 0 to 1."""
    return 0.5 * float((p.double() - q.double()).abs().sum())


def gaussian_scores(samples: Tensor, mean: Tensor, std: Tensor) -> Scores:
    """``marginals``, ``mean``, ``variance`` and ``coverage`` of samples, (n, \\*shape).

    ``mean`` and ``std``: those of the Gaussian posterior's pixels, in their shape. The distance of
    marginals is that between Gaussians with their means and deviations. Expected for exact samples:
    ``sqrt(1.5 / n)``, ``1 / sqrt(n)``, ``sqrt(2 / (n - 1))`` and 0.9.
    """
    white = ((samples.double() - mean.double()) / std.double()).flatten(1)
    shift, spread = white.mean(dim=0), white.std(dim=0)
    return {
        MARGINALS.name: rms(torch.hypot(shift, spread - 1)),
        MEAN.name: rms(shift),
        VARIANCE.name: rms(spread**2 - 1),
        COVERAGE.name: float(interval_mass(white).mean()),
    }


def interval_mass(white: Tensor) -> Tensor:
    """The standard normal mass of the central 90 % interval of each column of (n, d): (d,).

    The interval ends at the places ``p (n + 1)`` among the order statistics, p = 0.05 and 0.95,
    between two of them where the mass is between theirs: of exact samples it has 0.9 on average,
    for any n >= 19.
    """
    below = torch.special.ndtr(white.sort(dim=0).values)
    tail = (1 - CREDIBLE) / 2
    return order_statistic(below, 1 - tail) - order_statistic(below, tail)


def rms(values: Tensor) -> float:
    """The root of the mean square."""
    return float(values.square().mean().sqrt())
