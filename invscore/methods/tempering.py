"""How much of the likelihood to trust while the image still carries noise."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from invscore.likelihood import InverseProblem
from invscore.operators import jacobian


def tempering(problem: InverseProblem, x: Tensor) -> Callable[[float], Tensor]:
    """The weight of the likelihood at level sigma, ``s^2 / (s^2 + |A|^2 sigma^2)``, (b, 1, ..., 1).

    ``s^2`` is the mean variance of a measured number and ``|A|`` the largest singular value of
    the operator (of its Jacobian at ``x`` where it is not linear): the worst case of the variance
    ``s^2 I + sigma^2 A A^H`` that y has when x carries noise of deviation sigma (Jalal et al. 2021,
    Eq. 5). The weighted likelihood score is then Lipschitz with constant at most 1 / sigma^2.
    """
    variance = problem.noise.variance(problem.y).expand(problem.y.shape).flatten(1).mean(dim=1)
    variance = variance.reshape(-1, *[1] * (x.ndim - 1))
    strength = jacobian(problem.operator, x).norm() ** 2
    return lambda sigma: variance / (variance + strength * sigma**2)
