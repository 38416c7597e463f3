"""Plug-and-play with BM3D: the strongest restoration without learning, in the scheme of DPIR."""

from __future__ import annotations

from torch import Tensor

from invscore.baselines.base import register, require_positive
from invscore.baselines.bm3d_prior import Bm3dPrior
from invscore.likelihood import InverseProblem
from invscore.methods.hqs import hqs
from invscore.priors.base import Prior
from invscore.rng import sample_rng


@register(
    "pnp-bm3d",
    point_estimate=True,
    package="bm3d",
    cites="Dabov et al. 2007; Danielyan et al. 2012; Zhang et al. 2021, Algorithm 1",
)
def pnp_bm3d(
    problem: InverseProblem,
    prior: Prior | None = None,  # noqa: ARG001
    *,
    seed: int = 0,
    steps: int = 12,
    lam: float = 0.23,
    sigma_max: float = 0.15,
    sigma_min: float = 0.02,
) -> Tensor:
    """Plug-and-play with BM3D: the method ``hqs``, BM3D in the place of the learned denoiser.

    The data term is fitted and the image denoised in turn, at a noise level that falls
    geometrically. It starts from the Wiener filter where the problem is linear, which BM3D, blind
    beyond its patches, needs for wide holes; elsewhere from mid-gray. Serves any operator and
    noise.

    ``steps``: runs of BM3D, 4 to 40. ``lam``: weight of the prior, 0.05 to 5. ``sigma_max``,
    ``sigma_min``: the first and the last level, in image units: 0.05 to 0.5, and 0.005 to 0.05.
    """
    require_positive(steps=steps, lam=lam, sigma_max=sigma_max, sigma_min=sigma_min)
    rng = sample_rng(seed, len(problem.y), "pnp-bm3d", problem.y.device)
    *_, last = hqs(
        problem, Bm3dPrior(), rng, steps=steps, lam=lam, sigma_max=sigma_max, sigma_min=sigma_min
    )
    return last.x
