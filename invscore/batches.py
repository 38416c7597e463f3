"""Numbers that hold for a whole batch, or one for each of its images."""

from __future__ import annotations

import torch
from torch import Tensor

PerImage = float | Tensor
"""A number, or a tensor of shape (b,), one number an image."""


def per_image(value: PerImage, like: Tensor, name: str = "sigma") -> Tensor:
    """``value`` as a real tensor that broadcasts against the batch ``like``, (b, \\*shape).

    Raises ``ValueError``, naming ``name``, for another number of numbers.
    """
    value = torch.as_tensor(value, dtype=like.real.dtype, device=like.device)
    if value.ndim == 0:
        return value
    if value.shape != like.shape[:1]:
        raise ValueError(
            f"`{name}` must be a number or of shape ({len(like)},), got the shape "
            f"{tuple(value.shape)}"
        )
    return value.reshape(-1, *[1] * (like.ndim - 1))
