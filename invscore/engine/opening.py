"""Engines by ``--workers`` and ``--cluster``."""

from __future__ import annotations

import logging
import os
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

from invscore.engine.base import Alone, Engine, WorkerError
from invscore.hardware import memory
from invscore.options.argument_checks import require_at_least

if TYPE_CHECKING:
    from distributed import Client

PATIENCE = 20.0
"""Seconds to wait for a scheduler to answer."""

TRIES = 3
"""Number of workers that may die at one piece of work before it is given up."""

DEPLOYED = {
    "distributed.scheduler.allowed-failures": TRIES,
    "distributed.comm.timeouts.connect": "20s",
}


@contextmanager
def open_engine(
    workers: int = 1,
    cluster: str | None = None,
    *,
    tell: Callable[[str], None] = lambda sentence: None,
) -> Iterator[Engine]:
    """``workers`` processes of this machine, or those of the scheduler that ``cluster`` names.

    One worker is this process. ``cluster`` is an address (``tcp://host:8786``) or a scheduler file.
    ``tell`` hears where the dashboard is, and of a cluster that has no workers yet. Raises
    ``ValueError`` where Dask is not installed, for an address or file that is none, and for more
    workers than memory holds; ``WorkerError`` where no scheduler answers.

    >>> from invscore.engine import in_order, open_engine
    >>> with open_engine(workers=1) as engine:
    ...     list(in_order(engine.run(abs, [-1, -2])))
    [1, 2]
    """
    require_at_least(1, workers=workers)
    if cluster is not None and workers != 1:
        raise ValueError(
            f"`workers` are of this machine, a `cluster` has its own: one must be left out, got "
            f"{workers} and {cluster!r}"
        )
    if cluster is None and workers == 1:
        yield Alone()
        return
    require_dask("--workers" if cluster is None else "--cluster")
    import dask

    from invscore.engine.cluster import Cluster

    for name in logging.root.manager.loggerDict:  # what goes wrong is told in a sentence of ours
        if name.partition(".")[0] == "distributed":
            logging.getLogger(name).setLevel(logging.CRITICAL)
    with ExitStack() as stack:
        stack.enter_context(dask.config.set(DEPLOYED))
        if cluster is None:
            client, threads = _local(workers, stack), threads_of_each(workers)
        else:
            client, threads = _joined(cluster, stack), None
            if not client.nthreads():
                tell(f"{cluster} has no workers yet: waiting for them")
        link = client.dashboard_link if _has_dashboard() else None
        if link and not _missing(link):
            tell(f"dashboard: {link}")
        yield Cluster(client, threads)


def require_dask(option: str) -> None:
    """Raise ``ValueError``, naming the ``option`` that needs it, where Dask is not installed."""
    try:
        import distributed  # noqa: F401
    except ImportError as error:
        raise ValueError(
            f"{option} needs the package distributed: pip install 'invscore[cluster]'"
        ) from error


def available_workers() -> int:
    """A worker for each core where Dask is installed; else 1.

    >>> from invscore.engine import available_workers
    >>> available_workers() >= 1
    True
    """
    try:
        require_dask("")
    except ValueError:
        return 1
    return os.cpu_count() or 1


def threads_of_each(workers: int) -> int:
    """Threads of a worker: cores are shared, and ``OMP_NUM_THREADS`` is a limit where it is set."""
    share = max(1, (os.cpu_count() or 1) // workers)
    limit = os.environ.get("OMP_NUM_THREADS", "")
    return min(share, int(limit)) if limit.isdecimal() and int(limit) > 0 else share


def _local(workers: int, stack: ExitStack) -> Client:
    from distributed import Client, LocalCluster

    memory.require(workers * memory.PROCESS, f"{workers} workers", "fewer workers")
    options: dict[str, Any] = {
        "n_workers": workers,
        "threads_per_worker": 1,
        "processes": True,
        "memory_limit": 0,  # what does not fit is asked before, see `memory`
        "dashboard_address": "127.0.0.1:0" if _has_dashboard() else None,
        "silence_logs": logging.CRITICAL,
    }
    try:
        started = stack.enter_context(LocalCluster(**options))
        return stack.enter_context(Client(started))
    except Exception as error:
        raise WorkerError(f"no workers can be started: {_sentence(error)}") from error


def _joined(cluster: str, stack: ExitStack) -> Client:
    from distributed import Client

    where: dict[str, str] = {"address": cluster}
    if "://" not in cluster:
        if not Path(cluster).is_file():
            raise ValueError(
                "`cluster` must be an address such as tcp://host:8786 or a scheduler file, got "
                f"{cluster!r}"
            )
        where = {"scheduler_file": cluster}
    try:
        return stack.enter_context(Client(**where, timeout=PATIENCE, set_as_default=False))
    except Exception as error:
        raise WorkerError(f"no scheduler answers at {cluster}: {_sentence(error)}") from error


def _has_dashboard() -> bool:
    try:
        import bokeh  # noqa: F401
    except ImportError:
        return False
    return True


def _missing(link: str) -> bool:
    """Whether the scheduler says that it has no such page: one without a dashboard has a link too.

    What cannot be asked from here may be there.
    """
    asked = urllib.request.Request(link, method="HEAD")
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(asked, timeout=2):
            return False
    except urllib.error.HTTPError as error:
        return error.code == HTTPStatus.NOT_FOUND
    except (OSError, ValueError):
        return False


def _sentence(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
