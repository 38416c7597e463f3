"""deepinv's denoising diffusion restoration."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from invscore.baselines.base import register, require_positive
from invscore.baselines.deepinv_runs import each_image, require_prior
from invscore.likelihood import InverseProblem
from invscore.methods.ddrm import require_svd
from invscore.operators import LinearOperator
from invscore.priors.base import Prior


@register(
    "deepinv-ddrm",
    point_estimate=False,
    uses_prior=True,
    needs=("linear", "svd", "gaussian"),
    package="deepinv",
    cites="Kawar et al. 2022, as in deepinv (Tachella et al. 2025)",
)
def deepinv_ddrm(
    problem: InverseProblem,
    prior: Prior | None,
    *,
    seed: int = 0,
    steps: int = 100,
    eta: float = 0.85,
    eta_b: float = 1.0,
    sigma_max: float = 1.0,
) -> Tensor:
    """deepinv's DDRM with our prior: ``deepinv.sampling.DDRM``, at its defaults.

    Its levels fall linearly from ``sigma_max`` to 0; the noise that it adds has half the paper's
    variance. Real images.

    ``steps``: evaluations of the denoiser, 10 to 1000. ``eta``, ``eta_b``: as in our ``ddrm``, 0
    to 1. ``sigma_max``: in image units, 0.2 to 5.
    """
    import deepinv

    from invscore.baselines.deepinv_adapters import PriorDenoiser, decomposable, require_real

    prior = require_prior(prior, "deepinv-ddrm")
    require_real(problem, "deepinv-ddrm")
    require_positive(steps=steps, sigma_max=sigma_max)
    denoiser = PriorDenoiser(prior, problem.image_dtype)

    def restore(operator: LinearOperator, y: Tensor, sigma: float) -> Tensor:
        f = require_svd(operator, y.dtype)
        levels = np.linspace(sigma_max, 0, steps)
        sampler = deepinv.sampling.DDRM(denoiser, sigmas=levels, eta=eta, etab=eta_b)
        return sampler(y, decomposable(f, operator.in_shape, y, sigma))

    return each_image(problem, seed, "deepinv-ddrm", restore)
