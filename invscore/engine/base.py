"""Interface of engines, and the one that needs nothing: this process."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol, TypeVar

Item = TypeVar("Item")
Value = TypeVar("Value")


class WorkerError(RuntimeError):
    """Workers have died, or cannot be reached: what they were given is not done.

    >>> from invscore.engine import WorkerError
    >>> issubclass(WorkerError, RuntimeError)
    True
    """


class Engine(Protocol):
    """Runs a function on many items, here or elsewhere, several at a time or one by one.

    ``run(function, items)`` yields the place of an item and what the function made of it, in the
    order in which they are done. ``items`` may be endless: few are taken ahead. What the function
    raises is raised. ``lost(item, why)`` is what an item comes to whose worker has died again and
    again; without it ``WorkerError`` is raised. ``shared``: more arguments of the function, as
    ``share`` has made them of values that are large and the same for all items.

    The function must be one of a module, or a ``functools.partial`` of one; whatever it does is
    done twice where a worker dies before it has told so.

    >>> from invscore.engine import open_engine
    >>> with open_engine(workers=1) as engine:
    ...     dict(engine.run(abs, [-1, -2]))
    {0: 1, 1: 2}
    """

    def run(
        self,
        function: Callable[..., Value],
        items: Iterable[Item],
        *,
        shared: tuple[Any, ...] = (),
        lost: Callable[[Item, str], Value] | None = None,
    ) -> Iterator[tuple[int, Value]]: ...

    def share(self, value: Any) -> Any:
        """``value``, sent to each worker once."""


class Alone:
    """This process, one item after the other.

    >>> from invscore.engine import Alone
    >>> list(Alone().run(str.upper, ["a", "b"]))
    [(0, 'A'), (1, 'B')]
    """

    def run(
        self,
        function: Callable[..., Value],
        items: Iterable[Item],
        *,
        shared: tuple[Any, ...] = (),
        lost: Callable[[Item, str], Value] | None = None,  # noqa: ARG002
    ) -> Iterator[tuple[int, Value]]:
        for index, item in enumerate(items):
            yield index, function(item, *shared)

    def share(self, value: Any) -> Any:
        return value


def in_order(found: Iterable[tuple[int, Value]]) -> Iterator[Value]:
    """Results of ``Engine.run`` in the order of the items.

    >>> from invscore.engine import in_order
    >>> list(in_order([(1, "b"), (0, "a")]))
    ['a', 'b']
    """
    early: dict[int, Value] = {}
    wanted = 0
    for index, value in found:
        early[index] = value
        while wanted in early:
            yield early.pop(wanted)
            wanted += 1


def own_device(device: str) -> str:
    """``device`` for this process: with ``"cuda"`` each worker of a machine has a GPU of its own.

    Which one its name tells by the number at its end, as Dask names workers. ``"auto"`` is a GPU
    where there is one.

    >>> from invscore.engine import own_device
    >>> own_device("cpu")
    'cpu'
    """
    import torch

    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    count = torch.cuda.device_count() if device == "cuda" else 0
    return f"cuda:{_rank() % count}" if count > 1 else device


def _rank() -> int:
    """The number at the end of this worker's name; 0 where it has none, or is no worker."""
    if "distributed" not in sys.modules:
        return 0
    from distributed import get_worker

    try:
        name = str(get_worker().name)
    except ValueError:  # not in a worker
        return 0
    number = re.fullmatch(r"(?:.*\D)?(\d+)", name) if "://" not in name else None
    return int(number[1]) if number else 0
