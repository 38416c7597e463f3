"""Selection of one image out of a stack, its axes in the order channels, rows, columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TypedDict

import numpy as np

from invscore.readers.base import Array, Recording, Values
from invscore.readers.memory_check import require_room_for_part

IMAGE = "chw"
SYNONYMS = {"y": "h", "x": "w", "s": "c"}


class Part(TypedDict, total=False):
    """Which part of a file is meant: options of ``load_image``.

    >>> from invscore.readers import Part
    >>> Part(index=(3,), axes="zhw")
    {'index': (3,), 'axes': 'zhw'}
    """

    key: str | None
    axes: str | None
    index: Index | None
    reader: str | None
    volume: str | None


Index = int | tuple[int, ...] | Mapping[str, int]


def parse_axes(text: str) -> str:
    """``"zhwc"`` as letters: h or y rows, w or x columns, c or s channels, others a stack.

    Raises ``ValueError`` for a letter that comes twice and for what is no letter.

    >>> from invscore.readers import parse_axes
    >>> parse_axes("zyxc")
    'zhwc'
    """
    letters = "".join(SYNONYMS.get(letter, letter) for letter in text.strip().lower())
    if not letters.isalpha() or not letters.isascii() or len(set(letters)) < len(letters):
        raise ValueError(
            "axes must name each axis by one letter (h rows, w columns, c channels, others such "
            f"as z or t a stack of images), got {text!r}"
        )
    return letters


def parse_index(text: str) -> Index:
    """``"3"``, ``"3,0"`` or ``"z=3,t=0"``. Raises ``ValueError`` for anything else.

    >>> from invscore.readers import parse_index
    >>> parse_index("3"), parse_index("z=3,t=0")
    ((3,), {'z': 3, 't': 0})
    """
    parts = [part.strip() for part in text.split(",")]
    try:
        if all("=" in part for part in parts):
            pairs = [(a.strip(), int(k)) for a, k in (part.split("=", 1) for part in parts)]
            if len(dict(pairs)) == len(pairs):
                return {parse_axes(axis): k for axis, k in pairs}
        else:
            return tuple(int(part) for part in parts)
    except ValueError:
        pass
    raise ValueError(f"index must be numbers such as 3 or z=3,t=0, got {text!r}")


def pick(
    recording: Recording,
    name: str,
    axes: str | None = None,
    index: Index | None = None,
    volume: str | None = None,
) -> Recording:
    """The part of ``recording`` at ``index``, axes of length one dropped, c, h and w last.

    ``axes`` takes the place of those that the file declares. An ``index`` of plain numbers counts
    along the axes that are neither channels, rows nor columns, in their order; where axes are not
    known, along the first ones. ``volume`` names the axis of a stack whose images are slices of one
    volume: it comes after the channels. Without ``index`` a stack remains a stack. Axes that are
    unknown are left as they are. Raises ``ValueError``, speaking of ``name``, for what does not
    fit, or not into memory.

    >>> import numpy as np
    >>> from invscore.readers import Recording, pick
    >>> volume = Recording(np.zeros((5, 8, 6), dtype=np.float32), axes="zhw")
    >>> pick(volume, "volume.npy", index=(3,)).values.shape
    (8, 6)
    """
    shape = tuple(recording.values.shape)
    letters = recording.axes if axes is None else parse_axes(axes)
    if axes is not None and len(letters) != len(shape):
        raise ValueError(
            f"axes must name {len(shape)} axes, as {name} has shape {shape}, got {axes!r}"
        )
    if axes is not None and not {"h", "w"} <= set(letters):
        raise ValueError(f"axes must hold h and w, rows and columns, got {axes!r}")
    slices = None if volume is None else _depth(volume, letters, shape, name)
    places = _places(index, letters, shape, name, slices)
    kept = [size for axis, size in enumerate(shape) if axis not in places]
    require_room_for_part(name, recording.values, kept)
    try:
        values = _at(recording.values, places)
    except Exception as error:  # of what is read here, each library has errors of its own
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(f"{name} cannot be read: {reason}") from error
    if not letters:
        return replace(recording, values=values)
    place = {letters[axis]: k for axis, k in places.items()}
    rest = "".join(a for k, a in enumerate(letters) if k not in places)
    image = IMAGE if slices is None else f"c{slices}hw"
    single = [k for k, a in enumerate(rest) if a not in image and values.shape[k] == 1]
    values = values.squeeze(tuple(single))
    rest = "".join(a for k, a in enumerate(rest) if k not in single)
    order = sorted(rest, key=lambda a: image.find(a))
    values = values.transpose([rest.index(a) for a in order])
    picked = replace(recording, values=values, axes="".join(order), place=place)
    return replace(picked, origin=letters, depth=slices or "")


def _depth(volume: str, letters: str, shape: tuple[int, ...], name: str) -> str:
    """The axis of slices, which has to be one of a stack."""
    stack = [a for a in letters if a not in IMAGE]
    if volume not in stack:
        known = f"the axes {letters}" if letters else "axes that are not named (axes names them)"
        raise ValueError(
            f"volume must name an axis of slices of {name}, which has {known}, got {volume!r}"
        )
    if shape[letters.index(volume)] < 2:
        raise ValueError(
            f"volume must name an axis of at least 2 slices of {name} of "
            f"{described(letters, shape)}, got {volume!r}"
        )
    return volume


def _places(
    index: Index | None, letters: str, shape: tuple[int, ...], name: str, slices: str | None
) -> dict[int, int]:
    """Index along each axis; none along that of ``slices``."""
    if index is None:
        return {}
    if isinstance(index, Mapping):
        unknown = set(index) - set(letters)
        if unknown:
            known = ", ".join(letters) or "not named (axes names them)"
            raise ValueError(f"index has {min(unknown)}: the axes of {name} are {known}")
        if slices in index:
            raise ValueError(f"index must not choose along {slices}, whose slices are a volume")
        chosen = {letters.index(axis): k for axis, k in index.items()}
    else:
        numbers = (index,) if isinstance(index, int) else index
        image = IMAGE + (slices or "")
        stack = [k for k in range(len(shape)) if not letters or letters[k] not in image]
        stack = stack if letters else stack[: max(0, len(shape) - 2)]
        if numbers and not stack:
            raise ValueError(
                f"index must be left out, as no axis of {name} of {described(letters, shape)} has "
                f"several images, got {numbers[0]}"
            )
        if len(numbers) > len(stack):
            raise ValueError(
                f"index must have a number for each of the {len(stack)} axes of several images of "
                f"{name} of {described(letters, shape)}, got {len(numbers)}"
            )
        chosen = dict(zip(stack, numbers, strict=False))
    for axis, k in chosen.items():
        if not -shape[axis] <= k < shape[axis]:
            raise ValueError(
                f"index must be from 0 to {shape[axis] - 1} along axis "
                f"{letters[axis] if letters else axis} of {name}, got {k}"
            )
    return {axis: k % shape[axis] for axis, k in chosen.items()}


def described(letters: str, shape: tuple[int, ...]) -> str:
    """A shape in words, with the names of its axes where they are known."""
    if not letters:
        return f"shape {shape}"
    return f"shape ({', '.join(f'{a}={n}' for a, n in zip(letters, shape, strict=True))})"


def _at(values: Values, places: Mapping[int, int]) -> Array:
    where = tuple(places.get(k, slice(None)) for k in range(len(values.shape)))
    return np.asarray(values[where] if len(values.shape) else values[()])
