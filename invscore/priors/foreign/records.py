"""Plain records in the place of a pickle's objects, and limits on the size of a file."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Self

import numpy as np

UNPACKED, SPARE = 8, 2**20
"""Size to which a file may unpack: ``UNPACKED`` times its own and ``SPARE`` bytes; weights hardly
shrink."""

NESTED = 3
"""Most archives within one another: NVlabs' pickles have those of two tensors."""

UNFOLDED = 10**7
"""Most values in a file, shared ones counted each time."""


class Refused(ValueError):
    """The file would run something, or is no file of weights: what it holds."""


class Room:
    """The bytes that may come of a file of ``size`` bytes, all archives in it included.

    A pickle of few bytes can have them copied as often as it likes, or nest archives in archives.
    """

    def __init__(self, size: int) -> None:
        self.left = UNPACKED * size + SPARE
        self.depth = 0

    def take(self, count: int, what: str = "a pickle") -> None:
        """Raise ``Refused`` where ``count`` bytes more are too many."""
        self.left -= count
        if self.left < 0:
            raise Refused(
                f"{what} that unpacks to more than {UNPACKED} times its size, by "
                f"{-self.left / 2**30:.2g} GiB or more"
            )


class Record:
    """What a pickle says of an object of the class ``source``: never an object of that class.

    ``args`` it would have been made with, the ``state`` it would have been given, ``items`` that
    would have been put in.
    """

    source = ""

    args: tuple[Any, ...]
    state: Any
    items: list[Any]
    mapping: dict[Any, Any]

    def __new__(cls, *args: Any, **more: Any) -> Self:  # pickles do not call __init__
        record = super().__new__(cls)
        record.args, record.state = args, None
        record.items, record.mapping = [], dict(more)
        return record

    def __init__(self, *args: Any, **more: Any) -> None:
        """Nothing more."""

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def __setitem__(self, key: Any, value: Any) -> None:
        self.mapping[key] = value

    def append(self, item: Any) -> None:
        self.items.append(item)

    def extend(self, items: Iterable[Any]) -> None:
        self.items.extend(items)

    @property
    def fields(self) -> dict[str, Any]:
        """State, and items of a mapping, by name."""
        state = self.state
        if isinstance(state, tuple) and len(state) == 2:  # (__dict__, __slots__)
            state = {**(state[0] or {}), **(state[1] or {})}
        return {**(state if isinstance(state, dict) else {}), **self.mapping}

    def __repr__(self) -> str:
        return f"Record({self.source})"


def inert_class(module: str, name: str) -> type[Record]:
    """A class of records that stand for ``module.name``."""
    return type(name, (Record,), {"source": f"{module}.{name}"})


def require_foldable(thing: Any) -> None:
    """Raise ``Refused`` for a structure of lists and the like that shares its parts so often that
    nobody could walk or print it. What holds itself counts once."""
    sizes: dict[int, int] = {}
    waiting: list[tuple[Any, bool]] = [(thing, False)]
    while waiting:
        value, parts_done = waiting.pop()
        if parts_done:
            total = 1 + sum(sizes.get(id(part), 1) for part in _parts(value))
            if total > UNFOLDED:
                raise Refused("a structure that unfolds to more values than can be read")
            sizes[id(value)] = total
        elif id(value) not in sizes:
            sizes[id(value)] = 1  # until its parts are done
            waiting.append((value, True))
            waiting.extend((part, False) for part in _parts(value) if _holds(part))


def _holds(value: Any) -> bool:
    return isinstance(value, (Mapping, list, tuple, set, frozenset, deque, Record)) or (
        isinstance(value, np.ndarray) and value.dtype.hasobject
    )


def _parts(value: Any) -> Iterator[Any]:
    """Values within ``value``."""
    if isinstance(value, Record):
        yield from (value.args, value.state, value.items, value.mapping)
    elif isinstance(value, Mapping):
        yield from value.values()
    elif isinstance(value, np.ndarray):
        yield from value.flat
    elif _holds(value):
        yield from value
