"""A prior as a denoiser of deepinv (Tachella et al. 2025), complex ones included."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from invscore.priors.base import Prior


def deepinv_denoiser(prior: Prior) -> Any:
    """A ``deepinv.models.Denoiser`` ``D(x, sigma)`` on [0, 1]; ``sigma`` a number or (b,).

    For a prior of complex images, x has the real and the imaginary part of each channel in turn,
    (b, 2 c, h, w), as deepinv's MRI has them. Importing deepinv takes seconds.

    >>> import deepinv
    >>> import torch
    >>> from invscore import GaussianPrior
    >>> from invscore.priors.export import deepinv_denoiser
    >>> denoiser = deepinv_denoiser(GaussianPrior(torch.full((1, 8, 8), 0.5), 0.04))
    >>> denoiser(torch.rand(2, 1, 8, 8), 0.1).shape
    torch.Size([2, 1, 8, 8])
    """
    import deepinv

    class PriorDenoiser(deepinv.models.Denoiser):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.prior = prior

        def forward(self, x: Tensor, sigma: float | Tensor, **_: Any) -> Tensor:
            level = torch.as_tensor(sigma).flatten().to(x.device)
            level = level if len(level) == len(x) else level[0]
            if not prior.complex:
                return prior.denoise(x, level)
            pairs = x.reshape(len(x), -1, 2, *x.shape[2:]).movedim(2, -1).contiguous()
            denoised = prior.denoise(torch.view_as_complex(pairs), level)
            return torch.view_as_real(denoised).movedim(-1, 2).flatten(1, 2)

    return PriorDenoiser()
