"""Operators by name that measure fewer numbers than the image has, or all of them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Literal

from annotated_types import Interval

from invscore.options.ranges import Seed, SomeShare

if TYPE_CHECKING:
    from invscore.operators import Operator

Shape = tuple[int, ...]
Pair = tuple[int, int]
Side = Annotated[int, Interval(ge=1, le=100000)]
Times = Annotated[int, Interval(ge=1, le=64)]


def inpaint(
    in_shape: Shape,
    *,
    keep: SomeShare = 0.3,
    seed: Seed = 0,
    mask: str | None = None,
    invert: bool = False,
    soft: bool = False,
) -> Operator:
    """Missing pixels: a random fraction is kept, or what is white and opaque in a mask file

    y = m x, the mask m 1 where a pixel is measured and 0 where it is missing. Of a --measurement
    what is NaN, infinite or exactly 0 is missing where no mask is given.

    ``keep``: fraction of pixels that is kept, in all channels alike.
    ``mask``: file of the mask, of the image's size: white where measured; transparent pixels are
    missing.
    ``soft``: gray values of the mask are shares of the light, not above or below a threshold.
    """
    from invscore.operators import Inpainting

    if mask is not None:
        return Inpainting.from_file(mask, in_shape, invert=invert, soft=soft)
    return Inpainting.random(in_shape, keep=keep, seed=seed)


def box(in_shape: Shape, *, size: Side | Pair = 64, position: Pair | None = None) -> Operator:
    """A missing rectangle, in the centre or with its corner at (row, column)

    y = m x, the mask m 0 within the rectangle.

    ``size``: its side in pixels, or its height and width.
    ``position``: row and column of its upper left corner; in the centre by default.
    """
    from invscore.operators import Inpainting

    return Inpainting.box(in_shape, size=size, position=position)


def superres(
    in_shape: Shape,
    *,
    factor: Times | tuple[Times, Times] = 4,
    kernel: Literal["bicubic", "box", "gaussian"] = "bicubic",
) -> Operator:
    """Super-resolution by a factor, or one of rows and one of columns

    y = (k * x) of every so many rows and columns: a low-pass k as wide as a large pixel, images
    mirrored at their border.

    ``factor``: how many times smaller the measurement is; (1, 4) keeps all rows.
    ``kernel``: the low-pass: ``bicubic`` (Keys 1981, a = -1/2, stretched by the factor), ``box``
    (the mean of a large pixel) or ``gaussian`` (standard deviation half the factor).
    """
    from invscore.operators import SuperResolution

    return SuperResolution(factor, in_shape, kernel=kernel)


def cs(
    in_shape: Shape, *, ratio: SomeShare = 0.5, seed: Seed = 0, matrix: str | None = None
) -> Operator:
    """Compressed sensing: a fraction of random mixtures of all pixels, or a matrix in a file

    y = M H S x: random signs S, the Hartley transform H, a random fraction M of its numbers (Do et
    al. 2012); or y = A x of a matrix A.

    ``ratio``: fraction of the mixtures that is measured.
    ``matrix``: file of a matrix, one row a measured number, one column a pixel (channels, rows,
    columns in their order).
    """
    from invscore.operators import CompressedSensing, from_matrix
    from invscore.operators.files import read_matrix

    if matrix is not None:
        return from_matrix(read_matrix(matrix, math.prod(in_shape)), in_shape)
    return CompressedSensing(in_shape, ratio, seed)


def denoise(in_shape: Shape) -> Operator:
    """Noise alone

    y = x, and the noise.
    """
    from invscore.operators import Identity

    return Identity(in_shape)
