"""An engine of Dask workers: processes of this machine, or of any cluster that Dask runs on."""

from __future__ import annotations

import os
import pickle
import threading
import time
import uuid
import warnings
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError
from contextlib import suppress
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING, Any

from invscore.engine.base import Item, Value, WorkerError
from invscore.hardware import memory

if TYPE_CHECKING:
    from distributed import Client

AHEAD = 2
"""Items given to each thread of a worker before it asks for more."""

LOOK = 2.0
"""Seconds between two counts of the workers."""

_one_at_a_time = threading.Lock()


class Cluster:
    """The workers that ``client`` knows. Each process works on one item at a time.

    ``threads``: of torch in each process; ``None`` takes as many as Dask gave the worker. A worker
    works in the folder of this process, where it has it, so that relative paths lead to the same.
    """

    def __init__(self, client: Client, threads: int | None = None) -> None:
        self._client = client
        self._threads = threads

    def run(
        self,
        function: Callable[..., Value],
        items: Iterable[Item],
        *,
        shared: tuple[Any, ...] = (),
        lost: Callable[[Item, str], Value] | None = None,
    ) -> Iterator[tuple[int, Value]]:
        from distributed import as_completed
        from distributed.scheduler import KilledWorker

        client, name = self._client, f"invscore-{uuid.uuid4().hex[:8]}"
        source = enumerate(items)
        given: dict[Any, tuple[int, Item]] = {}
        finished = as_completed(loop=client.loop)
        counted, room = 0.0, AHEAD
        try:
            while True:
                if time.monotonic() - counted > LOOK:
                    room, counted = AHEAD * max(1, self._slots()), time.monotonic()
                for index, item in islice(source, max(0, room - len(given))):
                    future = client.submit(
                        _work,
                        function,
                        item,
                        shared,
                        (os.getcwd(), self._threads),
                        key=f"{name}-{index}",
                        priority=-index,
                    )
                    given[future] = index, item
                    finished.add(future)
                if not given:
                    return
                future = next(finished)
                index, item = given.pop(future)
                try:
                    value = future.result()
                except KilledWorker as error:
                    if lost is None:
                        raise WorkerError(
                            f"a worker has died {_times(error)} over the same work, for want of "
                            "memory perhaps: the same command goes on with the rest"
                        ) from error
                    value = lost(item, f"its worker died {_times(error)}")
                except CancelledError as error:
                    raise WorkerError(
                        "the scheduler of the workers is gone: the same command goes on, with "
                        "another"
                    ) from error
                yield index, value
        finally:
            with suppress(Exception):  # the cluster may be gone
                client.cancel(list(given), force=True)

    def share(self, value: Any) -> Any:
        """A future, made anew by whichever worker takes the place of one that has died."""
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Sending large graph")
            return self._client.submit(pickle.loads, pickle.dumps(value), pure=False)

    def _slots(self) -> int:
        try:
            return sum(self._client.nthreads().values())
        except Exception as error:
            raise WorkerError(f"the scheduler of the workers cannot be asked: {error}") from error


def _work(
    function: Callable[..., Value],
    item: Any,
    shared: tuple[Any, ...],
    place: tuple[str, int | None],
) -> Value:
    """On a worker: the function of an item, in the folder of who asks."""
    folder, threads = place
    with _one_at_a_time:
        _prepare(threads)
        before = os.getcwd()
        with suppress(OSError):
            os.chdir(folder)
        try:
            return function(item, *shared)
        finally:
            os.chdir(before)


@cache
def _prepare(threads: int | None) -> None:
    """Set-up of a worker process, made once."""
    import torch
    from distributed import get_worker

    torch.set_num_threads(threads or get_worker().state.nthreads)
    memory.keep_freed()
    # PyTorch warns of its own code where a Jacobian is taken: a user can do nothing about it.
    warnings.filterwarnings("ignore", r"`torch\.jit", FutureWarning)


def _times(error: Any) -> str:
    count = getattr(error, "allowed_failures", 0) + 1
    return f"{count} times" if count > 1 else "once"
