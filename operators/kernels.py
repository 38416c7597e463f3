"""Blur kernels: float64, (height, width), centred at ``size // 2``, with sum one."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor


def gaussian_kernel(sigma: float, size: int | None = None) -> Tensor:
    """An isotropic Gaussian of standard deviation ``sigma`` pixels, sampled at pixel centres.

    ``size`` pixels a side, odd or even; by default ``gaussian_size(sigma)``.
    """
    size = gaussian_size(sigma) if size is None else size
    if size < 1:
        raise ValueError(f"`size` must be a positive number of pixels, got {size}")
    require_pixels("sigma", sigma)
    t = torch.arange(size, dtype=torch.float64) - size // 2
    profile = torch.exp(-0.5 * (t / sigma) ** 2)
    return _normalised(torch.outer(profile, profile))


def gaussian_size(sigma: float) -> int:
    """The odd size that holds four standard deviations to each side."""
    require_pixels("sigma", sigma)
    return 2 * math.ceil(4 * sigma) + 1


def motion_shape(length: float) -> tuple[int, int]:
    """The shape of the kernel of a line of ``length`` pixels."""
    require_pixels("length", length)
    side = 2 * math.ceil(length / 2) + 1
    return side, side


def motion_kernel(length: float, angle: float = 0.0) -> Tensor:
    """A straight line of ``length`` pixels, ``angle`` degrees counter-clockwise from horizontal.

    The line is spread over pixels by bilinear interpolation, so its centroid is exact.
    """
    radius = motion_shape(length)[0] // 2
    if not math.isfinite(angle):
        raise ValueError(f"`angle` must be a finite number of degrees, got {angle}")
    points = 64 * math.ceil(length)
    along = ((torch.arange(points, dtype=torch.float64) + 0.5) / points - 0.5) * length
    pixels = torch.arange(-radius, radius + 1, dtype=torch.float64)
    # Rows count downwards, angles upwards.
    rows = _hat(pixels[:, None] + along * math.sin(math.radians(angle)))
    columns = _hat(pixels[:, None] - along * math.cos(math.radians(angle)))
    return _normalised(rows @ columns.T)


def disk_shape(radius: float) -> tuple[int, int]:
    """The shape of the kernel of a disk of ``radius`` pixels."""
    require_pixels("radius", radius)
    side = 2 * math.ceil(radius + 0.5) - 1
    return side, side


def disk_kernel(radius: float) -> Tensor:
    """A uniform disk of ``radius`` pixels (defocus): the part of each pixel that it covers."""
    return mean_over_pixels(
        lambda y, x: (y**2 + x**2 <= radius**2).double(), disk_shape(radius), 32
    )


def mean_over_pixels(
    intensity: Callable[[Tensor, Tensor], Tensor], shape: tuple[int, int], parts: int
) -> Tensor:
    """The kernel of an ``intensity`` of places (down, across) in pixels, from the middle.

    Each pixel has the mean over itself, of ``parts`` by ``parts`` places; odd numbers of pixels.
    """
    down, across = (
        (torch.arange(side * parts, dtype=torch.float64) + 0.5) / parts - side / 2 for side in shape
    )
    fine = intensity(down[:, None], across)
    return _normalised(torch.nn.functional.avg_pool2d(fine[None], parts)[0])


def mapped_kernel(kernel: Tensor, matrix: Tensor) -> Tensor:
    """A kernel (h, w) under a linear map of the plane about its centre, by cubic interpolation.

    ``matrix``, (2, 2), takes places (right, up) to where they go. Odd numbers of pixels along both
    sides, and sum one.
    """
    side = max(kernel.shape) // 2 * 2 + 1
    square = kernel.new_zeros(side, side)
    rows, columns = (side // 2 - length // 2 for length in kernel.shape)
    square[rows : rows + kernel.shape[0], columns : columns + kernel.shape[1]] = kernel
    flip = kernel.new_tensor([[1.0, 0.0], [0.0, -1.0]])  # rows count downwards
    there = flip @ matrix.to(kernel) @ flip
    reach = math.ceil(side // 2 * float(there.abs().sum(dim=1).max()))
    t = torch.arange(-reach, reach + 1, dtype=kernel.dtype, device=kernel.device)
    down, across = torch.meshgrid(t, t, indexing="ij")
    source = torch.stack([across, down], dim=-1) @ torch.linalg.inv(there).T / (side / 2)
    grid = source[None]
    sampled = torch.nn.functional.grid_sample(
        square[None, None], grid, mode="bicubic", align_corners=False
    )
    return _normalised(sampled[0, 0])


def _hat(t: Tensor) -> Tensor:
    return (1 - t.abs()).clamp_min(0)


def _normalised(kernel: Tensor) -> Tensor:
    return kernel / kernel.sum()


def require_pixels(name: str, value: float) -> None:
    """Raise ``ValueError`` unless the argument ``name`` is a positive number of pixels."""
    if not (math.isfinite(value) and value > 0):
        raise ValueError(f"`{name}` must be a positive number of pixels, got {value}")


def require_kernel(kernel: Tensor) -> Tensor:
    """``kernel``, (kh, kw), in double precision. Raises ``ValueError`` where it is none."""
    if kernel.ndim != 2 or not kernel.numel():
        raise ValueError(f"the `kernel` must have the shape (kh, kw), got {tuple(kernel.shape)}")
    kernel = kernel.detach().double()
    if not bool(kernel.isfinite().all()):
        raise ValueError("the `kernel` must be finite, got NaN or infinite values")
    if abs(float(kernel.sum())) <= 1e-12 * float(kernel.abs().sum()):
        raise ValueError(
            "the `kernel` must have a sum other than 0, as a blur keeps the mean of an image"
        )
    return kernel
