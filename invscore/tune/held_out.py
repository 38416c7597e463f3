"""Images that methods are judged on are recognised, whatever their size, colour or format.

Options that were chosen on them would praise themselves. An image and the sample images of
scikit-image are compared as thumbnails in gray, of the whole and of the middle square.
"""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor

from invscore.images import load_image, sample_names, to_gray

SIDE = 32
ALIKE = 0.93
"""Least correlation of two thumbnails of the same photograph; different photographs have less."""


def refuse_held_out(image: Tensor, name: str) -> None:
    """Raise ``ValueError`` where ``image``, real (c, h, w), is a sample image of scikit-image.

    Uniform images have no thumbnail to be known by, nor do complex ones.
    """
    if image.is_complex():
        return
    for sample, known in _samples().items():
        if max(float(a @ b) for a in _thumbnails(image) for b in known) > ALIKE:
            raise ValueError(
                f"image {name!r} is the sample {sample!r} of scikit-image, which is held out: "
                "options are chosen on other images than those that methods are judged on"
            )


@cache
def _samples() -> dict[str, tuple[Tensor, ...]]:
    return {name: _thumbnails(load_image(name)) for name in sample_names()}


def _thumbnails(image: Tensor) -> tuple[Tensor, ...]:
    """The whole and the middle square, each as a vector of mean 0 and norm 1, or 0."""
    gray = to_gray(image)
    side = min(gray.shape[-2:])
    top, left = ((length - side) // 2 for length in gray.shape[-2:])
    square = gray[:, top : top + side, left : left + side]
    return tuple(_normalised(part) for part in (gray, square))


def _normalised(image: Tensor) -> Tensor:
    small = torch.nn.functional.interpolate(
        image[None], (SIDE, SIDE), mode="bilinear", antialias=True
    )
    vector = small.flatten().double()
    vector = vector - vector.mean()
    return vector / vector.norm().clamp(min=1e-6 * SIDE)
