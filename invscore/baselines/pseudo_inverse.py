"""Least squares, stopped where the residual is as large as the noise."""

from __future__ import annotations

import torch
from torch import Tensor

from invscore.baselines.base import register, require_positive
from invscore.likelihood import InverseProblem
from invscore.methods.common.discrepancy_principle import iterated
from invscore.operators import LinearOperator
from invscore.priors.base import Prior


@register(
    "pseudo-inverse",
    point_estimate=True,
    needs=("linear",),
    cites="Hestenes & Stiefel 1952 (CGLS); Hanke 1995, stopped by the discrepancy principle",
)
def pseudo_inverse(
    problem: InverseProblem,
    prior: Prior | None = None,  # noqa: ARG001
    *,
    seed: int = 0,  # noqa: ARG001
    discrepancy: float = 1.0,
    iterations: int = 200,
) -> Tensor:
    """The pseudo-inverse, regularised by early stopping: conjugate gradients on least squares.

    From zero, the iterates go to ``A^+ y``, which an ill-conditioned operator fills with noise.
    Each image stops at the first whose residual is ``discrepancy`` times what the noise explains.
    Where all singular values that matter are equal (a mask, sampled Fourier coefficients), the
    first iterate is ``A^+ y`` itself.

    ``discrepancy``: rms of the residual in units of the noise, 0.9 to 1.2; towards 0 for ``A^+ y``.
    ``iterations``: the most there may be.
    """
    require_positive(discrepancy=discrepancy)
    operator = problem.operator
    if not isinstance(operator, LinearOperator):
        raise ValueError(f"pseudo-inverse needs a linear operator, given {type(operator).__name__}")
    zero = torch.zeros_like(operator.rmatvec(problem.y))
    return iterated(problem, operator, zero, discrepancy=discrepancy, iterations=iterations)
