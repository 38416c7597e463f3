"""Numbers that hold for a whole batch, or one for each of its images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor

from invscore.options.words import in_words

Numbers: TypeAlias = "Tensor | np.ndarray[Any, Any]"
"""What is taken as a tensor: one, or an array of NumPy."""

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


def as_tensor(name: str, numbers: Numbers | Sequence[float] | float) -> Tensor:
    """A tensor as it is, or an array of NumPy, or numbers in lists, as one.

    Raises ``TypeError``, naming ``name``, for anything else.

    >>> import numpy as np
    >>> from invscore.batches import as_tensor
    >>> as_tensor("mask", np.eye(2, dtype=bool)[::-1])
    tensor([[False,  True],
            [ True, False]])
    """
    if isinstance(numbers, Tensor):
        return numbers
    try:  # of any byte order, and of strides that torch does not take
        array = np.ascontiguousarray(numbers)
        return torch.from_numpy(array.astype(array.dtype.newbyteorder("="))).reshape(
            np.shape(numbers)
        )
    except (TypeError, ValueError):
        raise TypeError(
            f"`{name}` must be a tensor or an array of numbers, got {in_words(numbers)}"
        ) from None


def all_finite(numbers: Tensor) -> bool:
    """Whether none of ``numbers`` is NaN or infinite: most often their sum alone tells.

    >>> import torch
    >>> from invscore.batches import all_finite
    >>> all_finite(torch.tensor([1.0, torch.inf])), all_finite(torch.full((2,), 3e38))
    (False, True)
    """
    return bool(numbers.sum().isfinite()) or bool(numbers.isfinite().all())


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
