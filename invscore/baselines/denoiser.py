"""Baseline of one evaluation of a denoiser, for the cost and quality of denoising alone."""

from __future__ import annotations

from torch import Tensor

from invscore.baselines.base import register
from invscore.baselines.bm3d_prior import Bm3dPrior
from invscore.likelihood import InverseProblem
from invscore.operators import Identity
from invscore.priors.base import Prior


@register(
    "denoiser",
    point_estimate=True,
    uses_prior=True,
    needs=("linear", "gaussian"),
    cites="Robbins 1956; Vincent 2011",
)
def denoiser(problem: InverseProblem, prior: Prior, *, seed: int = 0) -> Tensor:  # noqa: ARG001
    """The posterior mean ``D(y, s)`` of a noisy image, by one evaluation of the prior."""
    return _denoised(problem, prior, "denoiser")


@register(
    "bm3d",
    point_estimate=True,
    needs=("linear", "gaussian"),
    package="bm3d",
    cites="Dabov et al. 2007",
)
def bm3d(
    problem: InverseProblem,
    prior: Prior | None = None,  # noqa: ARG001
    *,
    seed: int = 0,  # noqa: ARG001
) -> Tensor:
    """BM3D of a noisy image, the best known denoiser without learning."""
    return _denoised(problem, Bm3dPrior(), "bm3d")


def _denoised(problem: InverseProblem, prior: Prior, name: str) -> Tensor:
    _, y, variance = problem.linear_gaussian(name)
    if not isinstance(problem.operator, Identity):
        raise ValueError(
            f"{name} needs a noisy image, the measurement of Identity, given "
            f"{type(problem.operator).__name__}"
        )
    return prior.denoise(y, variance.sqrt())
