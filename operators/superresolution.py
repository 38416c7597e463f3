"""Anti-aliased decimation."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from invscore.operators.base import Shape, SpectralOperator
from invscore.operators.boundary import mirrored
from invscore.operators.constant import Constant
from invscore.operators.cosines import Cosines, product
from invscore.operators.memory_check import require_room_for_images
from invscore.operators.placement import Movable
from invscore.operators.svd import SVD


class SuperResolution(SpectralOperator):
    """Images made ``factor`` times smaller: (c, h, w) -> (c, h / factor, w / factor).

    ``factor`` may be a pair, of rows and of columns: (1, 4) has all rows, and a quarter of the
    columns, as thick slices have. ``kernel`` is the low-pass filter, as wide as a large pixel:
    ``"bicubic"`` (Keys 1981 with a = -0.5, stretched by the factor), ``"box"`` (the mean of factor
    x factor pixels) or ``"gaussian"`` (standard deviation factor / 2). Images are mirrored at the
    edge of their outermost pixels. Everything has a closed form, in cosines of the image and of y.
    Raises ``ValueError`` when ``factor`` does not divide h and w, or for an unknown kernel.

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
        down, across = factor if isinstance(factor, tuple | list) else (factor, factor)
        whole = isinstance(down, int) and isinstance(across, int)
        if not whole or min(down, across) < 1 or height % down or width % across:
            raise ValueError(
                f"`factor` must be a divisor of the image's height {height} and width "
                f"{width}, got {factor}"
            )
        if kernel not in _PROFILES:
            raise ValueError(f"`kernel` must be one of {', '.join(_PROFILES)}, got {kernel!r}")
        require_room_for_images(tuple(in_shape[-2:]))
        self.in_shape = tuple(in_shape)
        self.out_shape = (*self.in_shape[:-2], height // down, width // across)
        self._rows = Decimation(height, down, kernel, axis=-2)
        self._columns = Decimation(width, across, kernel, axis=-1)
        self.factor = factor

    def matvec(self, x: Tensor) -> Tensor:
        return self._columns.forward(self._rows.forward(x))

    def rmatvec(self, y: Tensor) -> Tensor:
        return self._rows.adjoint(self._columns.adjoint(y))

    def normal(self, x: Tensor) -> Tensor:
        f = self.svd(x.dtype)
        return f.v(f.s**2 * f.vh(x))

    def svd(self, dtype: torch.dtype = torch.float32) -> SVD:
        rows, columns = self._rows, self._columns
        return SVD(
            s=torch.outer(rows.image.s.at(dtype), columns.image.s.at(dtype)),
            u=lambda c: columns.measured.v(rows.measured.v(c)),
            uh=lambda y: columns.measured.vh(rows.measured.vh(y)),
            v=lambda c: columns.image.v(rows.image.v(c)),
            vh=lambda x: rows.image.vh(columns.image.vh(x)),
            complete=rows.factor == columns.factor == 1,
        )

    def summed(self, c: Tensor, squared: bool = False) -> Tensor:
        """Right singular vectors times images given by their cosines, (b, \\*, h, w).

        Each coefficient, (b, \\*, h / factor, w / factor), is a weighted sum of the cosines that
        decimation takes for one another; each cosine is in one of them. ``squared``: with the
        squares of weights, which makes of variances of independent cosines that of a coefficient.
        """
        rows, columns = self._rows.image.aliases, self._columns.image.aliases
        return columns.summed(rows.summed(c, squared), squared)

    def parted(self, u: Tensor, squared: bool = False) -> Tensor:
        """The transpose of ``summed``: ``svd().v(u)`` by its cosines."""
        rows, columns = self._rows.image.aliases, self._columns.image.aliases
        return rows.parted(columns.parted(u, squared), squared)


class Decimation(Movable):
    """Lines along ``axis``, -1 or -2 of a batch, filtered and made ``factor`` times shorter.

    ``image`` and ``measured``: the cosines of lines and of decimated ones, which are the singular
    vectors. Short lines are multiplied by ``decimation_matrix``.
    """

    def __init__(self, size: int, factor: int, kernel: str, axis: int) -> None:
        self.factor, self.axis = factor, axis
        self.image = Cosines(size, axis, factor, _transfer(size, factor, kernel))
        self.measured = Cosines(size // factor, axis)
        self._matrix: Constant | None = None
        if self.image.dense:
            self._matrix = Constant(decimation_matrix(size, factor, kernel))

    def forward(self, x: Tensor) -> Tensor:
        if self._matrix is not None:
            return product(self._matrix.like(x), x, self.axis)
        return self.measured.v(self._seen(x) * self.image.vh(x))

    def adjoint(self, y: Tensor) -> Tensor:
        if self._matrix is not None:
            return product(self._matrix.like(y).mT, y, self.axis)
        return self.image.v(self._seen(y) * self.measured.vh(y))

    def _seen(self, like: Tensor) -> Tensor:
        s = self.image.s.like(like)
        return s if self.axis == -1 else s[:, None]


def decimation_matrix(size: int, factor: int, kernel: str) -> Tensor:
    """The (size / factor, size) float64 matrix that filters a line of pixels and decimates it.

    That of a factor of 1 leaves it as it is, whatever the kernel.
    """
    offsets, weights = _filter(factor, kernel)
    centres = (torch.arange(size // factor, dtype=torch.float64) + 0.5) * factor - 0.5
    positions = (centres[:, None] + offsets).round().long()
    matrix = torch.zeros(size // factor, size, dtype=torch.float64)
    return matrix.scatter_add_(1, mirrored(positions, size), weights.expand(positions.shape))


def _transfer(size: int, factor: int, kernel: str) -> Tensor:
    """Gain of the filter at each cosine of a line, (size,) float64."""
    offsets, weights = _filter(factor, kernel)
    frequency = torch.arange(size, dtype=torch.float64)
    return torch.cos(torch.pi / size * torch.outer(frequency, offsets)) @ weights


def _filter(factor: int, kernel: str) -> tuple[Tensor, Tensor]:
    """Taps of the filter: places in pixels from the middle of a large one, and weights of sum 1."""
    if factor == 1:
        return torch.zeros(1, dtype=torch.float64), torch.ones(1, dtype=torch.float64)
    profile, radius = _PROFILES[kernel]
    reach = int(radius * factor) + 1
    offsets = torch.arange(-reach, reach + 1, dtype=torch.float64) + (factor - 1) % 2 / 2
    weights = profile(offsets / factor)
    return offsets, weights / weights.sum()


def _cubic(t: Tensor) -> Tensor:
    t, a = t.abs(), -0.5
    near = (a + 2) * t**3 - (a + 3) * t**2 + 1
    far = a * (t**3 - 5 * t**2 + 8 * t - 4)
    return torch.where(t <= 1, near, torch.where(t < 2, far, 0.0))


def _box(t: Tensor) -> Tensor:
    return (t.abs() < 0.5).double()


def _gaussian(t: Tensor) -> Tensor:
    return torch.exp(-0.5 * (t / 0.5) ** 2)


# Profiles in units of a large pixel, and the radius beyond which they are next to nothing.
_PROFILES: dict[str, tuple[Callable[[Tensor], Tensor], float]] = {
    "bicubic": (_cubic, 2.0),
    "box": (_box, 0.5),
    "gaussian": (_gaussian, 4.5),
}
