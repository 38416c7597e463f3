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


def real_numbers(x: Tensor) -> Tensor:
    """The real and imaginary parts of complex numbers, on a last axis; real ones as they are."""
    return torch.view_as_real(x.resolve_conj()) if x.is_complex() else x


def ordinary(x: Tensor) -> Tensor:
    """``x`` without gradients, laid out plainly, and fit for derivatives.

    A tensor made in ``torch.inference_mode`` is not, and some operations do not take one that is
    lazily conjugated or negated.
    """
    with torch.inference_mode(False):
        plain = x.detach().resolve_conj().resolve_neg()
        return plain.clone() if plain.is_inference() else plain.contiguous()
