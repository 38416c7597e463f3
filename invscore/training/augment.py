"""Augmentation: images turned, stretched, moved and bent a little, where there are few of them.

A network that knows how its images were augmented learns from them and yet does not make such ones
(non-leaking augmentation: Karras et al. 2022, App. F.2): see ``augmentation_labels``.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample, interpolate

ANGLE = 0.2
"""Standard deviation of the angle, in radians."""

STRETCH = 0.12
"""Standard deviation of the logarithms of the size and of the aspect ratio."""

SHEAR = 0.2
"""Standard deviation of the slant."""

SHIFT = 0.06
"""Standard deviation of the shift, in widths (and heights) of the image."""

BEND = 0.035
"""Standard deviation of the displacements of 3 x 3 points, in the same unit, with smooth ones
between them."""

POINTS = 3
LABELS = 4 + 2 + 2 * POINTS**2
"""Number of values that describe how an image was augmented, all 0 for not at all."""


def augmented(images: Tensor, random: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Each of ``images``, (n, c, h, w), augmented at random, and the labels that say how, (n,
    ``LABELS``), of a standard deviation of about 1.

    Resampled by cubic interpolation, mirrored at the edges and within the range of each image's
    values. Complex images are augmented in both parts alike. All chance comes from ``random``.
    """
    if images.is_complex():
        parts = torch.view_as_real(images).movedim(-1, 2).flatten(1, 2)
        bent, numbers = augmented(parts, random)
        pairs = bent.reshape(len(bent), -1, 2, *bent.shape[2:]).movedim(2, -1)
        return torch.view_as_complex(pairs.contiguous()), numbers
    count = len(images)
    angle, size, ratio, slant = torch.from_numpy(
        random.standard_normal((4, count), dtype=np.float32)
        * np.array([[ANGLE], [STRETCH], [STRETCH], [SHEAR]], dtype=np.float32)
    )
    shift = torch.from_numpy(random.standard_normal((count, 2), dtype=np.float32))
    bend = torch.from_numpy(random.standard_normal((count, 2, POINTS, POINTS), dtype=np.float32))

    matrix = _rotation(angle) @ _shear(slant) @ _scales(size, ratio)
    # Coordinates go from -1 to 1, in images that are not square too: they are two units wide.
    height, width = images.shape[2:]
    square = torch.tensor([[1, height / width], [width / height, 1]])
    grid = affine_grid(
        torch.cat([matrix * square, 2 * SHIFT * shift[:, :, None]], dim=2),
        list(images.shape),
        align_corners=False,
    )
    displacement = interpolate(bend, images.shape[2:], mode="bicubic", align_corners=True)
    grid = grid + 2 * BEND * displacement.movedim(1, -1)
    moved = grid_sample(
        images, grid, mode="bicubic", padding_mode="reflection", align_corners=False
    )
    lowest, highest = images.amin((2, 3), keepdim=True), images.amax((2, 3), keepdim=True)
    off = (matrix - torch.eye(2)).flatten(1) / ANGLE
    return moved.clamp(lowest, highest), torch.cat([off, shift, bend.flatten(1)], dim=1)


def _rotation(angle: Tensor) -> Tensor:
    cos, sin = angle.cos(), angle.sin()
    return torch.stack([cos, -sin, sin, cos], dim=1).reshape(-1, 2, 2)


def _shear(slant: Tensor) -> Tensor:
    one, zero = torch.ones_like(slant), torch.zeros_like(slant)
    return torch.stack([one, slant, zero, one], dim=1).reshape(-1, 2, 2)


def _scales(size: Tensor, ratio: Tensor) -> Tensor:
    return torch.diag_embed(torch.stack([(size + ratio).exp(), (size - ratio).exp()], dim=1))
