"""Anti-aliased decimation."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from invscore.operators.base import Shape
from invscore.operators.boundary import mirrored
from invscore.operators.separable import SeparableOperator


class SuperResolution(SeparableOperator):
    """Images made ``factor`` times smaller: (c, h, w) -> (c, h / factor, w / factor).

    ``factor`` may be a pair, of rows and of columns: (1, 4) has all rows, and a quarter of the
    columns, as thick slices have. ``kernel`` is the low-pass filter, as wide as a large pixel:
    ``"bicubic"`` (Keys 1981 with a = -0.5, stretched by the factor), ``"box"`` (the mean of factor
    x factor pixels) or ``"gaussian"`` (standard deviation factor / 2). Images are mirrored at the
    edge of their outermost pixels. Raises ``ValueError`` when ``factor`` does not divide h and w,
    or for an unknown kernel.

        >>> from invscore.operators import SuperResolution
        >>> SuperResolution(4, (3, 16, 16)).out_shape
        (3, 4, 4)
        >>> SuperResolution((1, 4), (3, 16, 16)).out_shape
        (3, 16, 4)
    """

    def __init__(
        self, factor: int | tuple[int, int], in_shape: Shape, kernel: str = "bicubic"
    ) -> None:
        height, width = in_shape[-2:]
        down, across = (factor, factor) if isinstance(factor, int) else factor
        if min(down, across) < 1 or height % down or width % across:
            raise ValueError(
                f"`factor` must be a divisor of the image's height {height} and width "
                f"{width}, got {factor}"
            )
        if kernel not in _PROFILES:
            raise ValueError(f"`kernel` must be one of {', '.join(_PROFILES)}, got {kernel!r}")
        left = decimation_matrix(height, down, kernel)
        super().__init__(left, decimation_matrix(width, across, kernel), in_shape)
        self.factor = factor


def decimation_matrix(size: int, factor: int, kernel: str) -> Tensor:
    """The (size / factor, size) float64 matrix that filters a line of pixels and decimates it.

    That of a factor of 1 leaves it as it is, whatever the kernel.
    """
    if factor == 1:
        return torch.eye(size, dtype=torch.float64)
    profile, radius = _PROFILES[kernel]
    centres = (torch.arange(size // factor, dtype=torch.float64) + 0.5) * factor - 0.5
    reach = int(radius * factor) + 1
    positions = torch.arange(-reach, size + reach)
    weights = profile((positions - centres[:, None]) / factor)
    weights = weights / weights.sum(dim=1, keepdim=True)
    matrix = torch.zeros(size // factor, size, dtype=torch.float64)
    return matrix.index_add_(1, mirrored(positions, size), weights)


def _cubic(t: Tensor) -> Tensor:
    t, a = t.abs(), -0.5
    near = (a + 2) * t**3 - (a + 3) * t**2 + 1
    far = a * (t**3 - 5 * t**2 + 8 * t - 4)
    return torch.where(t <= 1, near, torch.where(t < 2, far, 0.0))


def _box(t: Tensor) -> Tensor:
    return (t.abs() < 0.5).double()


def _gaussian(t: Tensor) -> Tensor:
    return torch.exp(-0.5 * (t / 0.5) ** 2)


# Profiles in units of a large pixel, and the radius beyond which they vanish.
_PROFILES: dict[str, tuple[Callable[[Tensor], Tensor], float]] = {
    "bicubic": (_cubic, 2.0),
    "box": (_box, 0.5),
    "gaussian": (_gaussian, 2.0),
}
