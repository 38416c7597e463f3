"""The rule of values: what the numbers in a file mean as an image.

Unsigned integers of 8 and 16 bits, of whatever byte order, are shades of gray: they are divided
by the largest of their type. All other numbers are taken as they are: booleans are 0 and 1; wider
or signed integers, floats and complex numbers keep their values. Where a format says itself what
its numbers mean (FITS, NIfTI, DICOM, MRC and others), they are taken in its units.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from invscore.readers.base import Array, Recording

PARTS = (("r", "i"), ("real", "imag"))
"""Names of the fields of a complex number in files whose format has none."""

NARROW_OF = {255.0: 2**4, 65535.0: 2**14}
"""Largest value of pictures with fewer bits than their type, by the largest of the type: cameras
have 10, 12 or 14 of 16 bits."""


def white_of(dtype: Any) -> float | None:
    """The number that stands for 1 by the rule of values; None for numbers taken as they are.

    >>> import numpy as np
    >>> from invscore.readers import white_of
    >>> white_of(np.uint8), white_of(np.float32)
    (255.0, None)
    """
    dtype = np.dtype(dtype)
    shades = dtype.kind == "u" and dtype.itemsize <= 2
    return float(np.iinfo(dtype).max) if shades else None


def as_numbers(array: npt.ArrayLike, name: str, white: float | None) -> Array:
    """``array`` divided by ``white``: float32 or complex64, contiguous, in native byte order.

    Raises ``ValueError``, speaking of ``name``, where it is no array of numbers, is empty, or
    holds finite numbers that are too large for float32. NaN and infinities stay.

    >>> import numpy as np
    >>> from invscore.readers import as_numbers
    >>> as_numbers(np.array([0, 51, 255], dtype=np.uint8), "picture.png", white=255)
    array([0. , 0.2, 1. ], dtype=float32)
    """
    if isinstance(array, np.ma.MaskedArray) and np.ma.is_masked(array):
        raise ValueError(
            f"{name} must be an array of plain numbers, got one that is masked: fill it first"
        )
    values = _joined(np.asarray(array))
    if values.ndim == 0 or values.size == 0:
        raise ValueError(f"{name} must have at least one pixel, got the shape {values.shape}")
    if values.dtype.kind not in "buifc":
        raise ValueError(f"{name} must be an array of numbers, got dtype {values.dtype}")
    if white is not None:
        values = values / np.float64(white)
    kind = np.complex64 if values.dtype.kind == "c" else np.float32
    with np.errstate(over="ignore"):
        narrow = np.ascontiguousarray(values.astype(kind))
    if values.dtype.itemsize > narrow.dtype.itemsize and not np.array_equal(
        np.isfinite(narrow), np.isfinite(values)
    ):
        raise ValueError(f"{name} has values beyond {np.finfo(np.float32).max:.2g}, too large")
    return narrow


def warn_of_range(recording: Recording, values: Array, name: str) -> None:
    """Warn where ``values``, as ``recording`` has them, look like shades of another range.

    >>> import warnings
    >>> import numpy as np
    >>> from invscore.readers import Recording, warn_of_range
    >>> shades = np.arange(1000, dtype=np.uint16)
    >>> with warnings.catch_warnings(record=True) as caught:
    ...     warnings.simplefilter("always")
    ...     warn_of_range(Recording(shades, white=65535.0), shades, "camera.png")
    >>> str(caught[0].message)[:42]
    'camera.png reaches 999 of 65535, as with 1'
    """
    if values.dtype.kind not in "uif" or values.size == 0 or recording.units:
        return
    low, high = float(values.min()), float(values.max())
    if not (math.isfinite(low) and math.isfinite(high)):
        return
    white = recording.white
    if white is None:
        if _looks_like_bytes(values, low, high):
            warnings.warn(
                f"{name} has values from {low:.4g} to {high:.4g}, taken as they are: shades of "
                "gray from 0 to 255 must be divided by 255, or stored as unsigned integers of 8 "
                "bits, to lie in [0, 1] (noise is in the same units)",
                stacklevel=3,
            )
    elif 0 < high < NARROW_OF.get(white, 0):
        bits = next(bits for bits in (1, 4, 8, 10, 12, 14) if high < 2**bits)
        warnings.warn(
            f"{name} reaches {high:.0f} of {white:.0f}, as with {bits} bits: it is divided by "
            f"{white:.0f} and dark (peak {high / white:.2g}), unless you rescale it",
            stacklevel=3,
        )


def warn_of_missing(file: object, stored: int, chunks: int, fill: object) -> None:
    """Warn where a file stores some of its ``chunks`` alone: others are ``fill`` throughout.

    Writers may leave out chunks of the fill value, but copies that broke off look the same.

    >>> import warnings
    >>> from invscore.readers.numbers import warn_of_missing
    >>> with warnings.catch_warnings(record=True) as caught:
    ...     warnings.simplefilter("always")
    ...     warn_of_missing("a.zarr", 3, 4, 0)
    >>> str(caught[0].message)
    "'a.zarr' stores 3 of its 4 chunks: the others are taken for its fill value, 0"
    """
    if stored < chunks:
        others = "it is" if stored == 0 else "the others are"
        warnings.warn(
            f"{str(file)!r} stores {stored} of its {chunks} chunks: {others} taken for its fill "
            f"value, {fill}",
            stacklevel=3,
        )


def warn_of_spacing(file: object, spacing: Sequence[float]) -> None:
    """Warn where the ``spacing`` of pixels that a header tells cannot be: not above 0, or NaN.

    >>> import warnings
    >>> from invscore.readers.numbers import warn_of_spacing
    >>> with warnings.catch_warnings(record=True) as caught:
    ...     warnings.simplefilter("always")
    ...     warn_of_spacing("a.nii", [-1.0, 2.0])
    >>> str(caught[0].message)[:45]
    "'a.nii' tells pixels of a size of -1 x 2, whi"
    """
    if not all(math.isfinite(size) and size > 0 for size in spacing):
        told = " x ".join(f"{size:.4g}" for size in spacing)
        warnings.warn(
            f"{str(file)!r} tells pixels of a size of {told}, which cannot be: numbers are read as "
            "they are, but where they lie in space is not known",
            stacklevel=3,
        )


def _looks_like_bytes(values: Array, low: float, high: float) -> bool:
    """Whether numbers of a type that is not scaled lie about as those of 8-bit pictures do."""
    if values.dtype.kind in "ui":
        return low >= 0 and 15 < high <= 255
    return low >= -64 and 100 < high <= 320  # shades of gray, perhaps with noise


def _joined(array: Array) -> Array:
    """``array`` with pairs of named parts joined to complex numbers."""
    names = array.dtype.names
    if names is None or tuple(names) not in PARTS:
        return array
    real, imaginary = (array[name] for name in names)
    return real + 1j * imaginary
