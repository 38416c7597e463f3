"""deepinv's diffusion posterior sampling."""

from __future__ import annotations

from torch import Tensor

from invscore.baselines.base import register, require_positive
from invscore.baselines.deepinv_runs import each_image, require_prior, require_steps
from invscore.likelihood import InverseProblem
from invscore.operators import LinearOperator
from invscore.priors.base import Prior


@register(
    "deepinv-dps",
    point_estimate=False,
    uses_prior=True,
    needs=("linear", "gaussian"),
    package="deepinv",
    cites="Chung et al. 2023, as in deepinv (Tachella et al. 2025)",
)
def deepinv_dps(
    problem: InverseProblem,
    prior: Prior | None,
    *,
    seed: int = 0,
    steps: int = 1000,
    weight: float = 1.0,
    guidance: str = "norm",
) -> Tensor:
    """deepinv's DPS with our prior: ``deepinv.sampling.DPS``, at its defaults.

    Ancestral sampling of the variance-preserving diffusion, from pure noise. Unlike the paper's,
    its guidance is a part of the score: ``weight`` times the gradient of the residual's norm is
    scaled by the noise of the step. Where it is told so (``guidance`` ``"annealed"``), it is the
    gradient of ``|y - A D|^2 / (2 (s^2 + sigma^2))`` instead. Real images.

    ``steps``: noise levels, 20 to 1000; at all but the last the denoiser is evaluated, once, and
    its Jacobian multiplied, once. ``weight``: 0.1 to 1000 with ``"norm"``, 0.1 to 10 with
    ``"annealed"``.
    """
    import deepinv

    from invscore.baselines.deepinv_adapters import OperatorPhysics, PriorDenoiser, require_real

    prior = require_prior(prior, "deepinv-dps")
    require_real(problem, "deepinv-dps")
    require_positive(weight=weight)
    require_steps(steps)
    if guidance not in {"norm", "annealed"}:
        raise ValueError(f"`guidance` must be norm or annealed, got {guidance!r}")
    denoiser = PriorDenoiser(prior, problem.image_dtype)

    def restore(operator: LinearOperator, y: Tensor, sigma: float) -> Tensor:
        sampler = deepinv.sampling.DPS(
            denoiser, num_steps=steps, weight=weight, guidance=guidance, device=y.device
        )
        physics = OperatorPhysics(operator, sigma).to(y.device)
        return sampler(y, physics, x_init=(1, *operator.in_shape))

    return each_image(problem, seed, "deepinv-dps", restore)
