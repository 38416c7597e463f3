"""deepinv's plug-and-play restoration by denoising diffusion."""

from __future__ import annotations

from torch import Tensor

from invscore.baselines.base import register, require_positive
from invscore.baselines.deepinv_runs import each_image, require_prior, require_steps
from invscore.likelihood import InverseProblem
from invscore.operators import LinearOperator
from invscore.priors.base import Prior


@register(
    "deepinv-diffpir",
    point_estimate=False,
    uses_prior=True,
    needs=("linear", "gaussian"),
    package="deepinv",
    cites="Zhu et al. 2023, as in deepinv (Tachella et al. 2025)",
)
def deepinv_diffpir(
    problem: InverseProblem,
    prior: Prior | None,
    *,
    seed: int = 0,
    steps: int = 100,
    lam: float = 7.0,
    zeta: float = 0.1,
) -> Tensor:
    """deepinv's DiffPIR with our prior: ``deepinv.sampling.DiffPIR``, at its defaults.

    Its proximal step weighs the prior by ``2 lam s^2 / sigma^2``, sigma on [-1, 1] and s on [0, 1]:
    a ``lam`` of 2 is what our ``diffpir`` calls 1. Real images.

    ``steps``: evaluations of the denoiser, 10 to 1000. ``lam``: weight of the prior, 0.5 to 50.
    ``zeta``: share of fresh noise, 0 to 1.
    """
    import deepinv

    from invscore.baselines.deepinv_adapters import OperatorPhysics, PriorDenoiser, require_real

    prior = require_prior(prior, "deepinv-diffpir")
    require_real(problem, "deepinv-diffpir")
    require_positive(lam=lam)
    require_steps(steps)
    denoiser = PriorDenoiser(prior, problem.image_dtype)

    def restore(operator: LinearOperator, y: Tensor, sigma: float) -> Tensor:
        sampler = deepinv.sampling.DiffPIR(
            denoiser,
            deepinv.optim.L2(),
            sigma=sigma,
            max_iter=steps,
            zeta=zeta,
            lambda_=lam,
            device=y.device,
        )
        return sampler(y, OperatorPhysics(operator, sigma).to(y.device))

    return each_image(problem, seed, "deepinv-diffpir", restore)
