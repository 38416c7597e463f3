"""Total variation: images that are piecewise flat."""

from __future__ import annotations

import torch
from torch import Tensor

from invscore.baselines.base import register, require_planar, require_positive
from invscore.baselines.primal_dual import Penalty, minimise
from invscore.baselines.wiener import wiener
from invscore.likelihood import InverseProblem
from invscore.priors.base import Prior


@register(
    "tv",
    point_estimate=True,
    needs=("linear", "gaussian"),
    cites="Rudin, Osher & Fatemi 1992; Chambolle & Pock 2011, Algorithm 1",
)
def total_variation(
    problem: InverseProblem,
    prior: Prior | None = None,  # noqa: ARG001
    *,
    seed: int = 0,  # noqa: ARG001
    weight: float = 10.0,
    iterations: int = 200,
) -> Tensor:
    """Total variation: the minimiser of ``|y - A x|^2 / (2 s^2) + weight TV(x)``.

    ``TV(x) = sum_pixels |grad x|``, the gradient by forward differences, its modulus taken over
    both axes, over all channels, and over real and imaginary parts together: isotropic.

    ``weight``: the rate at which the prior ``exp(-weight TV)`` falls, per image unit, 1 to 50; it
    does not change with the noise, which is weighed already. ``iterations``: 100 to 1000.
    """
    require_positive(weight=weight, iterations=iterations)
    require_planar(problem, "tv")
    start = wiener(problem)
    return minimise(problem, TotalVariation(weight), start, iterations=iterations)


class TotalVariation(Penalty):
    """``weight`` times the isotropic total variation over the last two axes."""

    norm = 8**0.5

    def __init__(self, weight: float) -> None:
        self.weight = weight

    def analyse(self, x: Tensor) -> Tensor:
        down, right = torch.zeros_like(x), torch.zeros_like(x)
        down[..., :-1, :] = x[..., 1:, :] - x[..., :-1, :]
        right[..., :-1] = x[..., 1:] - x[..., :-1]
        return torch.stack([down, right], dim=1)

    def synthesise(self, p: Tensor) -> Tensor:
        down, right = p.unbind(dim=1)
        x = torch.zeros_like(down)
        x[..., 1:, :] += down[..., :-1, :]
        x[..., :-1, :] -= down[..., :-1, :]
        x[..., 1:] += right[..., :-1]
        x[..., :-1] -= right[..., :-1]
        return x

    def project(self, p: Tensor) -> Tensor:
        axes = list(range(1, p.ndim - 2))
        lengths = torch.linalg.vector_norm(p, dim=axes, keepdim=True)
        return p / (lengths / self.weight).clamp_min(1)
