"""How close images are to a reference: PSNR and SSIM."""

from __future__ import annotations

import torch
from torch import Tensor

TOGETHER = 2**20
"""Numbers of an image that are compared at once, in double precision."""

SSIM_SIGMA = 1.5
SSIM_WINDOW = 11
"""Side of the Gaussian window of SSIM: 3.5 standard deviations on each side."""


def psnr(x: Tensor, reference: Tensor, peak: float = 1.0) -> Tensor:
    """Peak signal-to-noise ratio in dB, ``10 log10(peak^2 / mean |x - reference|^2)``: (b,).

    ``x`` and ``reference`` are (b, c, h, w) or any batch of equal shapes; complex images are
    compared by magnitude. Equal images have an infinite ratio. Raises ``ValueError`` for unequal
    shapes or a ``peak`` that is not positive.

        >>> import torch
        >>> from invscore.metrics import psnr
        >>> psnr(torch.full((1, 1, 8, 8), 0.6), torch.full((1, 1, 8, 8), 0.5)).round(decimals=2)
        tensor([20.])
    """
    x, reference = _pair(x, reference, peak)
    pairs = zip(*(torch.split(t.flatten(1), TOGETHER, 1) for t in (x, reference)), strict=True)
    squares = [(a.double() - b.double()).square().sum(dim=1) for a, b in pairs]
    error = torch.stack(squares).sum(dim=0) / x[0].numel()
    return (10 * torch.log10(peak**2 / error)).float()


def ssim(x: Tensor, reference: Tensor, peak: float = 1.0) -> Tensor:
    """Structural similarity (Wang et al. 2004), averaged over pixels and channels: (b,).

    Gaussian weights of standard deviation 1.5 pixels and no sample covariance, as in the paper;
    ``x`` and ``reference`` are (b, c, h, w), at least 11 pixels a side, complex images compared by
    magnitude. Raises ``ValueError`` for unequal or smaller shapes.

    >>> import torch
    >>> from invscore.metrics import ssim
    >>> x = torch.rand(2, 1, 16, 16)
    >>> ssim(x, x)
    tensor([1., 1.])
    """
    from skimage.metrics import structural_similarity

    x, reference = _pair(x, reference, peak)
    if x.ndim != 4 or min(x.shape[-2:]) < SSIM_WINDOW:
        raise ValueError(
            f"the images must have shape (b, c, h, w) with at least {SSIM_WINDOW} pixels a "
            f"side for SSIM, got {tuple(x.shape)}"
        )
    # Of whole windows alone, in strips that share the rows of half a window on either side.
    inner, around = x.shape[-2] - SSIM_WINDOW + 1, SSIM_WINDOW - 1
    rows = max(1, TOGETHER // x[0, :, 0].numel())
    total = torch.zeros(len(x), dtype=torch.float64)
    for first in range(0, inner, rows):
        last = min(first + rows, inner)
        strips = [t[:, :, first : last + around].double().numpy() for t in (x, reference)]
        scores = [
            structural_similarity(  # type: ignore[no-untyped-call]
                a,
                b,
                data_range=peak,
                channel_axis=0,
                gaussian_weights=True,
                sigma=SSIM_SIGMA,
                use_sample_covariance=False,
            )
            for a, b in zip(*strips, strict=True)
        ]
        total += (last - first) / inner * torch.tensor(scores, dtype=torch.float64)
    return total.float()


def _pair(x: Tensor, reference: Tensor, peak: float) -> tuple[Tensor, Tensor]:
    if x.shape != reference.shape:
        raise ValueError(
            f"`x` and `reference` must have the same shape, got {tuple(x.shape)} and "
            f"{tuple(reference.shape)}"
        )
    if not peak > 0:
        raise ValueError(f"`peak` must be a positive number, got {peak}")
    x, reference = (t.abs() if t.is_complex() else t for t in (x, reference))
    return x.detach().cpu(), reference.detach().cpu()
