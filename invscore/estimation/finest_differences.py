"""The noise level of smooth pictures, by their finest differences."""

from __future__ import annotations

from torch import Tensor


def finest_level(y: Tensor) -> float:
    """Level from the median of the finest diagonal differences of pictures (b, c, h, w).

    The median of the finest wavelets (Donoho & Johnstone 1994); texture makes it larger.

    >>> import torch
    >>> from invscore.estimation.finest_differences import finest_level
    >>> noise = torch.randn(1, 1, 128, 128, generator=torch.Generator().manual_seed(0))
    >>> round(finest_level(1 + 0.1 * noise), 2)
    0.1
    """
    rows, columns = (size // 2 * 2 for size in y.shape[-2:])
    y = y[..., :rows, :columns]
    finest = y[..., ::2, ::2] - y[..., 1::2, ::2] - y[..., ::2, 1::2] + y[..., 1::2, 1::2]
    return float(finest.abs().median()) / 2 / 0.6745
