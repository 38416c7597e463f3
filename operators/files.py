"""Kernels, masks, matrices and angles from files, by the readers that images have.

A mask is white where something was measured, and black where not. Values in between count as
measured from half the largest on; with ``soft`` they are weights, ``y = w x``, each the share of
the light that reaches a pixel. Pixels that the file declares transparent are not measured. Where
the opaque ones have other colours than black and white the file is a photograph with holes, and
its opacity alone is the mask.

A kernel is taken in linear light, as it is in the file: no gamma is undone. What is transparent
is zero.
"""

from __future__ import annotations

import math
import warnings
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from invscore.operators.base import Shape
from invscore.readers import Array, as_numbers, known_suffixes, pick, read, suffix_of

WEIGHTS = (0.299, 0.587, 0.114)
"""Of red, green and blue in gray: ITU-R BT.601."""

COLOURS = 4
"""Most values for each pixel in a picture of what has one number a pixel."""

TURN = 2.001 * math.pi
"""Largest angle, in the unit of the file, that may be radians: a full turn; in degrees it would be
a small arc."""

SUFFIXES = known_suffixes()
"""Suffixes of files of arrays; others are read as text."""

DOUBTFUL = 0.005
"""Share of a mask's values between black and white from which on they are told; fewer are a smooth
edge."""


def read_mask(
    path: str | Path, *, invert: bool = False, soft: bool = False, image: Shape | None = None
) -> Tensor:
    """The mask in a file: boolean, or float64 in [0, 1] if ``soft``; of one to three axes.

    ``(w,)``, ``(h, w)`` or, in an array that says so for each channel, ``(c, h, w)``. Black becomes
    white with ``invert``. Raises ``ValueError`` for what cannot be read, is not finite, has values
    below zero or above one (above the white of their type), or far more of them than the ``image``.
    """
    name = f"the mask {str(path)!r}"
    values, opacity = _read(path, "mask", ("mask", "image"), name, image)
    low, high = float(values.min()), float(values.max())
    if not np.isfinite(values).all() or low < 0:
        raise ValueError(f"{name} must hold values from 0 (not measured), got {low:g} to {high:g}")
    if opacity is not None and float(opacity.min()) < 1:
        levels = np.unique(values[..., opacity > 0.5])
        both = len(levels) == 2 and levels[0] == 0
        values = opacity * (values / high if both else 1.0)
        high = float(values.max())
    if soft:
        if high > 1:
            raise ValueError(f"{name} must hold weights in [0, 1], got up to {high:g}")
        weights = torch.from_numpy(values)
        return 1 - weights if invert else weights
    between = np.count_nonzero((values > 0.02 * high) & (values < 0.98 * high)) / values.size
    if between > DOUBTFUL:
        warnings.warn(
            f"{name} has {between:.1%} of its values between black and white: they count as "
            "measured from half the largest on; soft=true takes them for weights, y = w x",
            stacklevel=2,
        )
    measured = torch.from_numpy(values > 0.5 * high) if high else torch.from_numpy(values > 0)
    return ~measured if invert else measured


def as_mask_of_volume(mask: Tensor, in_shape: Shape) -> Tensor:
    """A mask of two axes, as phase encodings have, with one of length 1 for the third.

    The third is that one of ``in_shape``, (c, d, h, w), which the sizes leave; where they leave
    several, or none, the mask is as it was.
    """
    volume = in_shape[-3:]
    fits = [k for k in range(3) if mask.ndim == 2 and (*volume[:k], *volume[k + 1 :]) == mask.shape]
    return mask.unsqueeze(fits[0]) if len(fits) == 1 else mask


def read_kernel(path: str | Path, *, image: Shape | None = None, stack: bool = False) -> Tensor:
    """The kernel in a file, (kh, kw) float64, in the file's own units; colours become gray.

    With ``stack`` it may be one of volumes, (kd, kh, kw). Raises ``ValueError`` for what cannot be
    read, has other axes, no positive sum, or far more values than the ``image`` that it is for.
    """
    name = f"the kernel {str(path)!r}"
    values, opacity = _read(path, "kernel", ("kernel", "psf", "image"), name, image)
    if values.ndim != 2 and not (stack and values.ndim == 3):
        expected = "(h, w) or (d, h, w)" if stack else "(h, w)"
        raise ValueError(f"{name} must have shape {expected}, got {values.shape}")
    kernel = torch.from_numpy(values if opacity is None else values * opacity)
    total = float(kernel.sum())
    if not (math.isfinite(total) and total > 1e-12 * float(kernel.abs().sum())):
        raise ValueError(
            f"{name} must hold finite numbers of a positive sum, by which they are divided, got a "
            f"sum of {total:g}"
        )
    return kernel


def _read(
    path: str | Path, what: str, names: tuple[str, ...], name: str, image: Shape | None
) -> tuple[Array, Array | None]:
    """Values in float64, colours mixed to gray, and the opacity (h, w) where there is one."""
    try:
        recording = pick(read(path, names=names), name)
    except ValueError as error:
        raise ValueError(f"{what} {error}") from error
    shape = tuple(recording.values.shape)
    if image is not None and math.prod(shape) > COLOURS * math.prod(image):
        raise ValueError(f"{name} must fit the image's shape {tuple(image)}, got {shape}")
    numbers = as_numbers(np.asarray(recording.values), name, recording.white)
    if numbers.dtype.kind == "c":
        raise ValueError(f"{name} must hold real numbers, got {recording.values.dtype}")
    values = numbers.astype(np.float64)
    if recording.axes == "chw":  # of a picture; in a plain array axes are not known
        values = np.tensordot(WEIGHTS, values, 1) if len(values) == 3 else values.mean(axis=0)
    elif values.ndim > 2:
        values = values.squeeze(tuple(k for k in range(values.ndim - 2) if values.shape[k] == 1))
        values = values[..., 0] if values.ndim > 2 and values.shape[-1] == 1 else values
    return np.ascontiguousarray(values), recording.opacity


def read_matrix(path: str | Path, columns: int) -> Tensor:
    """The real matrix (m, ``columns``) in a file of arrays, as float64, its numbers unscaled.

    Raises ``ValueError`` for anything else.
    """
    name = f"the matrix {str(path)!r}"
    try:
        values = pick(read(path, names=("matrix", "A")), name).values
    except ValueError as error:
        raise ValueError(f"matrix {error}") from error
    if values.dtype.kind not in "buif" or len(values.shape) != 2 or values.shape[1] != columns:
        raise ValueError(
            f"{name} must be real, of shape (m, {columns}), a column for each pixel, got "
            f"{values.dtype} of shape {tuple(values.shape)}"
        )
    return torch.from_numpy(np.asarray(values).astype(np.float64))


def read_filters(path: str | Path, image: Shape | None) -> Tensor:
    """The filters (c, h, w) in a file, from 0, for an ``image`` of c channels; float64.

    Raises ``ValueError`` for anything else.
    """
    name = f"the filters {str(path)!r}"
    try:
        recording = pick(read(path, names=("filters", "weights")), name)
    except ValueError as error:
        raise ValueError(f"filters {error}") from error
    values = as_numbers(np.asarray(recording.values), name, recording.white)
    channels = "c" if image is None else str(image[0])
    fits = values.ndim == 3 and (image is None or len(values) == image[0])
    if values.dtype.kind == "c" or not fits or not (np.isfinite(values) & (values >= 0)).all():
        raise ValueError(
            f"{name} must be finite numbers from 0 of shape ({channels}, h, w), got "
            f"{values.dtype} of shape {values.shape}"
        )
    if not values.any():
        raise ValueError(f"{name} must let light through somewhere, got zeros alone")
    return torch.from_numpy(np.ascontiguousarray(values, dtype=np.float64))


def read_angles(path: str | Path) -> Tensor:
    """The angles in a file of arrays or of text, in degrees: (n,), float64, as they are in it.

    Text has numbers with spaces, commas or lines between, and comments from # to the end of a line.
    Of a Data Exchange file they are its ``theta``. Warns of what looks like radians. Raises
    ``ValueError`` for anything else.
    """
    file, name = Path(path), f"the angles {str(path)!r}"
    values = _angles_of_array(file, name) if suffix_of(file) in SUFFIXES else _of_text(file, name)
    if values.dtype.kind not in "uif" or values.size == 0 or values.size != max(values.shape):
        raise ValueError(
            f"{name} must be real numbers in a row, got {values.dtype} of shape {values.shape}"
        )
    degrees = np.array(values, dtype=np.float64).reshape(-1)
    if not np.isfinite(degrees).all():
        raise ValueError(f"{name} must be finite, got NaN or infinite values")
    if 1 < np.ptp(degrees) <= TURN and np.abs(degrees).max() <= TURN:
        warnings.warn(
            f"{name} lie in [{degrees.min():.4g}, {degrees.max():.4g}], taken as degrees: radians "
            "must be multiplied by 180 / pi",
            stacklevel=2,
        )
    return torch.from_numpy(degrees)


def _angles_of_array(file: Path, name: str) -> Array:
    try:
        recording = read(file, names=("angles", "theta", "exchange/theta"))
        header = recording.header if isinstance(recording.header, dict) else {}
        theta = header.get("theta")
        return pick(recording, name).values[...] if theta is None else np.asarray(theta)
    except ValueError as error:
        raise ValueError(f"angles {error}") from error


def _of_text(file: Path, name: str) -> Array:
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
        words = " ".join(line.partition("#")[0] for line in lines).replace(",", " ").split()
        return np.array([_number(word) for word in words])
    except FileNotFoundError:
        raise ValueError(f"angles {str(file)!r}: no such file") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ValueError(f"{name} must be numbers of degrees, {reason}") from error


def _number(word: str) -> float:
    try:
        return float(word)
    except ValueError:
        raise ValueError(f"got {word[:20]!r}") from None
