"""Weight of the likelihood while the image still carries noise."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from invscore.likelihood import InverseProblem
from invscore.operators import LinearOperator, jacobian
from invscore.operators.base import broadcast
from invscore.operators.cg import inner
from invscore.priors.base import Prior


def tempering(problem: InverseProblem, x: Tensor) -> Callable[[float], Tensor]:
    """The weight of the likelihood at level sigma, ``s^2 / (s^2 + |A|^2 sigma^2)``, (b, 1, ..., 1).

    ``s^2`` is the mean variance of a measured number and ``|A|`` the largest singular value of
    the operator (of its Jacobian at ``x`` where it is not linear): the worst case of the variance
    ``s^2 I + sigma^2 A A^H`` that y has when x carries noise of deviation sigma (Jalal et al. 2021,
    Eq. 5). The weighted likelihood score is then Lipschitz with constant at most 1 / sigma^2.
    """
    variance = broadcast(mean_variance(problem), x)
    strength = squared_norm(problem, x)
    return lambda sigma: variance / (variance + strength * sigma**2)


def informed_share(problem: InverseProblem, prior: Prior, x: Tensor) -> Tensor:
    """``|A|^2 v / s^2``, at most 1: what images make of a measured number, (b, 1, ..., 1).

    ``v`` is the variance of a pixel under the prior, the rest as in ``tempering``. It is 1 but for
    measurements with more noise than an image can have caused. Methods that know no noise level
    pull by it: as the noise of y grows beyond that, they return to the prior.
    """
    variance = broadcast(mean_variance(problem), x)
    images = squared_norm(problem, x) * prior.variance
    return images / variance.clamp_min(images)


def mean_variance(problem: InverseProblem) -> Tensor:
    """The variance of a number of y, averaged over those that are measured of an image: (b,)."""
    each = problem.noise.estimated_variance(problem.y).expand(problem.y.shape)
    return problem.measured(each).flatten(1).mean(dim=1)


def squared_norm(problem: InverseProblem, x: Tensor, iterations: int = 50) -> float | Tensor:
    """``|A|^2``, or that of the Jacobian at each image of ``x``, (b, 1, ..., 1), by the power
    method."""
    if isinstance(problem.operator, LinearOperator):
        return problem.operator.norm() ** 2
    tangent = jacobian(problem.operator, x)
    generator = torch.Generator().manual_seed(0)
    # One start for all images: what an image gets does not depend on its place in the batch.
    start = torch.randn(x.shape[1:], dtype=x.dtype, generator=generator).to(x.device)
    v = start.expand(x.shape)
    growth = inner(v, v)
    for _ in range(iterations):
        v = tangent.normal(v / growth.sqrt().clamp_min(1e-30))
        growth = inner(v, v)
    return growth.sqrt()
