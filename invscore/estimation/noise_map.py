"""Gaussian noise whose variance is known for each number of a measurement."""

from __future__ import annotations

import torch
from torch import Tensor

from invscore.batches import Numbers, as_tensor
from invscore.hardware.doubles import doubled
from invscore.likelihood import GaussianNoise, InverseProblem
from invscore.operators import LinearOperator
from invscore.operators.base import Composition
from invscore.operators.weighting import Weighting

FAR = 10.0
"""Largest deviation, in units of the median one, of numbers that count alike in ``evened``."""


def with_noise_map(operator: LinearOperator, y: Numbers, variance: Numbers) -> InverseProblem:
    """The problem ``y = A x + n`` with a variance for each n_i: (\\*out_shape), y a batch of these.

    It is ``y / s = (A / s) x + n / s`` with noise of level 1, s the square roots: the same
    posterior, and every method serves it. A variance that is infinite, NaN, or 0 as telescopes
    mark dead pixels, says that nothing is measured there; y may hold anything in its place. Raises
    ``ValueError`` for an operator that is not linear, a negative variance or another shape.
    """
    y, variance = as_tensor("y", y), as_tensor("variance", variance)
    if not isinstance(operator, LinearOperator):
        raise ValueError(f"`operator` must be linear, got {type(operator).__name__}")
    if tuple(variance.shape) != operator.out_shape or variance.is_complex():
        raise ValueError(
            f"`variance` must be real, of the operator's shape {operator.out_shape}, got "
            f"{variance.dtype} of shape {tuple(variance.shape)}"
        )
    if bool((variance < 0).any()):
        raise ValueError(f"`variance` must not be negative, got {float(variance.min())}")
    seen = variance.isfinite() & (variance > 0)
    if operator.measured is not None:
        seen = seen & operator.measured.to(seen.device)
    weights = torch.where(seen, doubled(torch.where(seen, variance, 1)).rsqrt(), 0)
    whitened = Weighting(weights, operator.out_complex).to(y.device) @ operator
    values = torch.where(seen.to(y.device), y, 0) * weights.to(y.device, y.real.dtype)
    return InverseProblem(whitened, values, GaussianNoise(1.0))


def evened(problem: InverseProblem) -> InverseProblem:
    """The problem before ``with_noise_map``, of numbers whose noise is not far above the others'.

    Where weights fall with the light, as those of counts do, what they leave of an image by a few
    steps is darkest where it is brightest. Numbers of far more noise keep as much of their weight
    as brings them down to it, and the noise is the root mean square of all. Of any other problem
    it is the problem itself.
    """
    operator, noise = problem.operator, problem.noise
    if not isinstance(operator, Composition) or not isinstance(operator.outer, Weighting):
        return problem
    assert isinstance(noise, GaussianNoise)
    weights = operator.outer.weights
    seen = weights > 0
    kept = (weights * FAR / weights[seen].median()).clamp_max(1)
    undone: Tensor = torch.where(seen, kept / torch.where(seen, weights, 1), 0)
    level = float(undone[seen].square().mean().sqrt())
    evened = operator.inner
    if not bool((kept == 1).all()):
        evened = Weighting(kept, operator.out_complex) @ evened
    y = problem.y * undone.to(problem.y.device, problem.y.real.dtype)
    return InverseProblem(evened, y, GaussianNoise(level * noise.sigma))
