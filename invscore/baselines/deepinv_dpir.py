"""deepinv's plug-and-play restoration by half-quadratic splitting."""

from __future__ import annotations

import torch
from torch import Tensor

from invscore.baselines.base import register, require_positive
from invscore.baselines.deepinv_runs import each_image, require_prior
from invscore.levels import geometric
from invscore.likelihood import InverseProblem
from invscore.operators import LinearOperator
from invscore.priors.base import Prior

FLOOR = 0.01
"""The least noise level that deepinv is told: its solver takes no measurement for more precise."""


@register(
    "deepinv-dpir",
    point_estimate=True,
    uses_prior=True,
    needs=("linear", "gaussian"),
    package="deepinv",
    cites="Zhang et al. 2021 (DPIR), as in deepinv (Tachella et al. 2025)",
)
def deepinv_dpir(
    problem: InverseProblem,
    prior: Prior | None,
    *,
    seed: int = 0,
    steps: int = 8,
    lam: float = 0.23,
    sigma_max: float = 49 / 255,
    sigma_min: float | None = None,
) -> Tensor:
    """deepinv's DPIR with our prior: ``deepinv.optim.DPIR`` at its defaults, its constants free.

    Half-quadratic splitting from the back-projection, at levels that fall geometrically. Real and
    complex images.

    ``steps``: evaluations of the denoiser, 4 to 100. ``lam``: weight of the prior, 0.05 to 5.
    ``sigma_max``, ``sigma_min``: the first and the last level, in image units: 0.05 to 1, and 0.005
    to 0.05 (default: the noise of the measurement).
    """
    import deepinv

    from invscore.baselines.deepinv_adapters import OperatorPhysics, PriorDenoiser

    require_positive(steps=steps, lam=lam, sigma_max=sigma_max)
    if sigma_min is not None:
        require_positive(sigma_min=sigma_min)
    denoiser = PriorDenoiser(require_prior(prior, "deepinv-dpir"), problem.image_dtype)

    def restore(operator: LinearOperator, y: Tensor, sigma: float) -> Tensor:
        last = sigma if sigma_min is None else sigma_min
        levels = torch.tensor(geometric(steps, sigma_max, last), dtype=y.real.dtype)
        step = (levels / max(FLOOR, sigma)) ** 2 / lam
        model = deepinv.optim.HQS(
            data_fidelity=deepinv.optim.L2(),
            prior=deepinv.optim.PnP(denoiser),
            max_iter=steps,
            params_algo={"stepsize": step.to(y.device), "g_param": levels.to(y.device)},
        )
        return model(y, OperatorPhysics(operator, sigma).to(y.device))

    return each_image(problem, seed, "deepinv-dpir", restore)
