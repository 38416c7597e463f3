"""A prior as the network of a DDPM: a plain module that predicts noise."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Self

import torch
from torch import Tensor, nn

from invscore.hardware.doubles import moving
from invscore.levels import DDPM_BETAS
from invscore.priors.base import Prior


class EpsilonNetwork(nn.Module):
    """``epsilon(x, t)`` of images on [-1, 1], as diffusers and most samplers call a network.

    ``x = sqrt(abar_t) z0 + sqrt(1 - abar_t) n`` with the table ``alphas_cumprod`` (by default the
    linear one of Ho et al. 2020), ``t`` a place in it: a number or a tensor (b,); between
    two, ln s is linear in t. Where the prior
    is a module, its parameters are this module's.

    >>> import torch
    >>> from invscore import GaussianPrior
    >>> from invscore.priors.export import EpsilonNetwork
    >>> prior = GaussianPrior(torch.full((1, 8, 8), 0.5), 0.04)
    >>> epsilon = EpsilonNetwork(prior)
    >>> epsilon(torch.randn(2, 1, 8, 8), torch.tensor([10, 500])).shape
    torch.Size([2, 1, 8, 8])
    """

    table: Tensor

    def __init__(
        self, prior: Prior, alphas_cumprod: Tensor | Sequence[float] | None = None
    ) -> None:
        super().__init__()
        if prior.complex:
            raise ValueError("`prior` must be one of real images, got one of complex images")
        self.prior = prior
        usual = torch.as_tensor(1 - DDPM_BETAS).cumprod(dim=0)
        table = usual if alphas_cumprod is None else torch.as_tensor(alphas_cumprod)
        self.register_buffer("table", table.double(), persistent=False)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        return super()._apply(moving(fn), recurse)  # type: ignore[no-untyped-call]

    def forward(self, x: Tensor, t: Tensor | int) -> Tensor:
        """The noise in ``x``, (b, c, h, w), at the times ``t``."""
        time = torch.as_tensor(t, device=x.device).to(self.table.dtype)
        low = time.long().clamp(0, len(self.table) - 2)
        logs = ((1 - self.table) / self.table).log() / 2
        s = torch.lerp(logs[low], logs[low + 1], time - low).exp().to(x.dtype).expand(len(x))
        column = s.reshape(-1, 1, 1, 1)
        z = x * (1 + column**2).sqrt()
        denoised = 2 * self.prior.denoise((z + 1) / 2, s / 2) - 1
        return (z - denoised) / column
