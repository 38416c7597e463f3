"""Interface of readers: the numbers of a file, its axes, and what they mean."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


class Values(Protocol):
    """An array, or something on disk that is read where it is indexed.

    >>> import numpy as np
    >>> from invscore.readers import Recording
    >>> values = Recording(np.zeros((2, 8, 6))).values
    >>> values.shape, values[0].shape
    ((2, 8, 6), (8, 6))
    """

    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def dtype(self) -> Any: ...
    def __getitem__(self, index: Any) -> Array: ...


@dataclass(frozen=True)
class Recording:
    """The numbers in a file, as it has them.

    ``axes`` has one letter for each axis of ``values``: ``h`` and ``w`` the rows and columns of an
    image, ``c`` its channels or coils, others (``z``, ``t``, ...) those along which there are
    several images. It is empty where the file does not tell. ``white`` is the number that stands
    for 1, and None where numbers are taken as they are. ``units`` says what they mean, if the file
    does. ``opacity``, (h, w) in [0, 1], belongs to pictures with transparent pixels. ``header`` is
    all that the format needs to write a result like it; ``place`` says which entry of a stack this
    is, by axis, ``origin`` what the axes were in the file, and ``depth`` which of them has the
    slices of a volume, if it is one.

    >>> import numpy as np
    >>> from invscore.readers import Recording
    >>> volume = Recording(np.zeros((5, 8, 6), dtype=np.float32), axes="zhw", units="HU")
    >>> volume.values.shape, volume.units
    ((5, 8, 6), 'HU')
    """

    values: Values
    axes: str = ""
    white: float | None = None
    units: str = ""
    opacity: Array | None = None
    header: Any = None
    place: Mapping[str, int] = field(default_factory=dict)
    origin: str = ""
    depth: str = ""


@dataclass(frozen=True)
class Wanted:
    """Wanted array of a file of several: the one called ``key``, else one of ``names``."""

    key: str | None = None
    names: tuple[str, ...] = ()


Read = Callable[[Path, Wanted], Recording]
Write = Callable[[Path, Array, Recording], None]


class Unfit(ValueError):
    """A file that cannot serve: its message is already a sentence.

    >>> from invscore.readers import Unfit, parse_axes
    >>> issubclass(Unfit, ValueError)
    True
    """


def choose(file: Path, held: list[str], wanted: Wanted) -> str:
    """The name of the array to read among those ``held`` by ``file``.

    Raises ``Unfit`` where none is called ``wanted.key``, or where it is not clear which is meant.
    """
    holds = ", ".join(sorted(held)) or "no arrays"
    if wanted.key is not None:
        if wanted.key in held:
            return wanted.key
        raise Unfit(f"key must name an array in {str(file)!r} ({holds}), got {wanted.key!r}")
    found = [name for name in wanted.names if name in held] or (held if len(held) == 1 else [])
    if found:
        return found[0]
    known = f", or one named {' or '.join(wanted.names)}" if wanted.names else ""
    raise Unfit(
        f"{str(file)!r} must hold a single array{known}, got {holds}: key names the one to read"
    )


def single(file: Path, wanted: Wanted) -> None:
    """Raise ``Unfit`` where an array is asked for by name in a file of one without a name."""
    if wanted.key is not None:
        raise Unfit(
            f"{str(file)!r} holds a single array without a name: key must be left out, got "
            f"{wanted.key!r}"
        )


def as_float(values: Array) -> Array:
    """``values`` in the precision that results are written in: float32 or complex64."""
    return values.astype(np.complex64 if values.dtype.kind == "c" else np.float32)
