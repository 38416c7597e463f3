"""The shape of the images behind a measurement, where it tells."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping
from typing import Any

from invscore.hardware import memory
from invscore.operators.files import read_kernel
from invscore.tasks.builtin import Shape, build, check_options, option_defaults
from invscore.tasks.mosaics import channels_of_mosaic, shape_behind_aperture

OF_FILTERS = 64
"""Bytes for each number of an image that filters take in double precision while they are made."""


Options = Mapping[str, Any]
Behind = Callable[[Shape, Options], Shape]


def image_shape(name: str, y_shape: Shape, options: Options) -> Shape:
    """The shape (c, h, w) of the images whose measurements by ``name`` have shape ``y_shape``.

    Raises ``ValueError`` where measurements do not tell.
    """
    if name in BEHIND:
        return BEHIND[name](y_shape, check_options(name, options))
    if options.get("boundary") == "valid":
        return _around(name, y_shape, options)
    return y_shape


def _untold(sentence: str) -> Behind:
    """Finder of a shape that always refuses, because the measurement does not tell it."""

    def refuse(y_shape: Shape, options: Options) -> Shape:  # noqa: ARG001
        raise ValueError(f"{sentence}: give --shape C,H,W")

    return refuse


def _of_mixtures(y_shape: Shape, options: Options) -> Shape:
    if options.get("matrix") is None:
        return y_shape
    return _untold("mixtures of pixels do not tell the shape of their image")(y_shape, options)


def _with_zeros_around(y_shape: Shape, options: Options) -> Shape:
    share = options.get("oversampling", option_defaults("phase")["oversampling"]) / 8
    return (*y_shape[:-2], *(_inner_size(size, share) for size in y_shape[-2:]))


def _enlarged(y_shape: Shape, options: Options) -> Shape:
    factor = options.get("factor", option_defaults("superres")["factor"])
    down, across = factor if isinstance(factor, tuple) else (factor, factor)
    return (*y_shape[:-2], y_shape[-2] * down, y_shape[-1] * across)


BEHIND: dict[str, Behind] = {
    "ct": _untold("a sinogram does not tell the shape of its image"),
    "lensless": _untold("what a sensor without a lens sees does not tell the shape of its scene"),
    "interferometry": _untold("visibilities do not tell the shape of their image"),
    "noncartesian-mri": _untold("samples of k-space do not tell the shape of their image"),
    "cs": _of_mixtures,
    "multicoil-mri": lambda y_shape, _: (1, *y_shape[1:]),
    "mosaic": lambda y_shape, options: _in_memory((channels_of_mosaic(options), *y_shape[-2:])),
    "cassi": lambda y_shape, options: _in_memory(shape_behind_aperture(y_shape, options)),
    "phase": _with_zeros_around,
    "superres": _enlarged,
}
"""Operators behind which images have another shape than measurements, and how it is found."""


def _around(name: str, y_shape: Shape, options: Options) -> Shape:
    """The shape of the images of which a blur sees ``y_shape``."""
    if len(y_shape) == 4 and name == "blur":
        kernel = read_kernel(options["kernel"], stack=True)
        if kernel.ndim == 3:
            around = (n + k - 1 for n, k in zip(y_shape[1:], kernel.shape, strict=True))
            return (y_shape[0], *around)
    shape = (*y_shape[:-2], 2 * y_shape[-2] + 128, 2 * y_shape[-1] + 128)
    for _ in range(4):
        # The border that is lost does not depend on the size of the image, once that is larger
        # than the kernel.
        seen = build(name, shape, options).out_shape
        found = tuple(y + a - b for y, a, b in zip(y_shape, shape, seen, strict=True))
        if build(name, found, options).out_shape == y_shape:
            _warn_of_reach(name, y_shape, found)
            return found
        shape = (*shape[:-2], 2 * shape[-2], 2 * shape[-1])
    raise ValueError(
        f"operator {name!r} has a kernel too large for a measurement of {y_shape[-2]} x "
        f"{y_shape[-1]} pixels"
    )


def _warn_of_reach(name: str, y_shape: Shape, around: Shape) -> None:
    """Warn where a kernel has more rows or columns than the measurement."""
    seen, kernel = y_shape[-2:], [a - y + 1 for y, a in zip(y_shape[-2:], around[-2:], strict=True)]
    if any(k > n for k, n in zip(kernel, seen, strict=True)):
        warnings.warn(
            f"the kernel of operator {name!r} has {kernel[0]} x {kernel[1]} pixels, more than the "
            f"measurement, {seen[0]} x {seen[1]}: if that is not meant, it has another scale",
            stacklevel=2,
        )


def _in_memory(shape: Shape) -> Shape:
    """``shape``. Raises ``ValueError`` where filters for so many channels would not fit."""
    memory.require(
        OF_FILTERS * math.prod(shape), f"an image of {shape[0]} channels", "fewer channels"
    )
    return shape


def _inner_size(padded: int, share: float) -> int:
    """The size of which ``share`` has been added to both sides."""
    near = round(padded / (1 + 2 * share))
    sizes = [
        size for size in (near - 1, near, near + 1) if size + 2 * round(share * size) == padded
    ]
    if not sizes:
        raise ValueError(
            f"the measurement has a side of {padded}: no image has that with its zeros"
        )
    return sizes[0]
