"""Work is done once and told once, whoever does it and whatever becomes of who did."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import count, islice
from pathlib import Path
from subprocess import PIPE, Popen

import pytest
import torch

from invscore.engine import (
    Alone,
    Engine,
    WorkerError,
    in_order,
    open_engine,
    opening,
    own_device,
)
from invscore.engine.opening import DEPLOYED, threads_of_each


@pytest.fixture(scope="module")
def team() -> Iterator[Engine]:
    with open_engine(2) as engine:
        yield engine


def square(x: int) -> int:
    return x * x


def where(folder: Path, name: str) -> str:
    (folder / name).touch()
    return os.getcwd()


def die_once(folder: Path, x: int) -> int:
    """Item 3 takes its worker with it, the first time."""
    if x == 3 and not (folder / "died").exists():
        (folder / "died").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return x * x


def die_always(x: int) -> int:
    if x == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return x


def refuse(x: int) -> int:
    if x == 2:
        raise ValueError("`x` must not be 2, got 2")
    return x


def weigh(x: int, weights: torch.Tensor) -> float:
    return float(x * weights.sum())


def test_all_engines_do_the_same(team: Engine) -> None:
    expected = [(k, k * k) for k in range(30)]
    assert list(Alone().run(square, range(30))) == expected
    assert sorted(team.run(square, range(30))) == expected
    assert list(team.run(square, [])) == []


def test_what_comes_early_waits() -> None:
    assert list(in_order([(1, "b"), (3, "d"), (0, "a"), (2, "c")])) == ["a", "b", "c", "d"]


def test_endless_work_is_taken_little_by_little(team: Engine) -> None:
    taken = count()
    some = list(islice(team.run(square, taken), 20))
    assert len(some) == 20
    assert next(taken) < 60


def test_workers_are_where_we_are(
    team: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    places = {place for _, place in team.run(partial(where, Path()), ["a", "b"])}
    assert places == {str(tmp_path)}
    assert {file.name for file in tmp_path.iterdir()} == {"a", "b"}


def test_what_is_shared_arrives(team: Engine) -> None:
    weights = torch.arange(4.0)
    for engine in (team, Alone()):
        shared = (engine.share(weights),)
        assert sorted(engine.run(weigh, range(3), shared=shared)) == [(0, 0.0), (1, 6.0), (2, 12.0)]


def test_errors_come_home(team: Engine) -> None:
    for engine in (team, Alone()):
        with pytest.raises(ValueError, match="must not be 2"):
            list(engine.run(refuse, range(5)))
    assert sorted(team.run(square, range(3))) == [(0, 0), (1, 1), (2, 4)]


def test_a_worker_that_dies_is_replaced(team: Engine, tmp_path: Path) -> None:
    found = sorted(team.run(partial(die_once, tmp_path), range(8)))
    assert (tmp_path / "died").exists()
    assert found == [(k, k * k) for k in range(8)]


def test_what_kills_every_worker_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(DEPLOYED, "distributed.scheduler.allowed-failures", 0)
    with open_engine(2) as engine:
        found = dict(engine.run(die_always, range(3), lost=lambda item, why: f"{item}: {why}"))
        assert found[1] == "1: its worker died once"
        with pytest.raises(WorkerError, match="a worker has died once over the same work"):
            list(engine.run(die_always, [1]))


class Pages(BaseHTTPRequestHandler):
    """A scheduler's, which has a dashboard at one address and none at any other."""

    def do_HEAD(self) -> None:
        self.send_response(405 if self.path == "/there" else 404)
        self.end_headers()

    def log_message(self, *_: object) -> None: ...


def test_a_dashboard_that_is_not_there_is_not_told() -> None:
    with HTTPServer(("127.0.0.1", 0), Pages) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        assert opening._missing(f"{address}/status")
        assert not opening._missing(f"{address}/there")
        server.shutdown()
    assert not opening._missing(f"{address}/there")  # no more to be asked


SCHEDULER = """
from distributed import LocalCluster
import time
if __name__ == "__main__":
    cluster = LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None)
    print(cluster.scheduler_address, flush=True)
    time.sleep(60)
"""


def test_a_scheduler_that_dies_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "scheduler.py"
    script.write_text(SCHEDULER)
    with Popen([sys.executable, str(script)], stdout=PIPE, stderr=PIPE, text=True) as process:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        with open_engine(1, address) as engine:
            assert list(engine.run(abs, [-3])) == [(0, 3)]
            work = engine.run(time.sleep, [0.05] * 100)
            next(work)
            process.kill()
            with pytest.raises(WorkerError, match="the same command goes on"):
                list(work)
    monkeypatch.setattr(opening, "PATIENCE", 0.5)
    with (
        pytest.raises(WorkerError, match=f"no scheduler answers at {address}"),
        open_engine(1, address),
    ):
        pass


@pytest.mark.parametrize(
    ("limit", "workers", "expected"),
    [(None, 2, 4), (None, 9, 1), ("1", 2, 1), ("3", 2, 3), ("6", 2, 4), ("2,1", 2, 4)],
)
def test_workers_share_the_cores(
    limit: str | None, workers: int, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if limit is not None:
        monkeypatch.setenv("OMP_NUM_THREADS", limit)
    assert threads_of_each(workers) == expected


def test_what_cannot_be_opened() -> None:
    for options, message in (
        ((0, None), "`workers` must be at least 1, got 0"),
        ((2, "tcp://127.0.0.1:1"), "one must be left out"),
        ((1, "nowhere.json"), "must be an address such as tcp://host:8786 or a scheduler file"),
    ):
        with pytest.raises(ValueError, match=message), open_engine(*options):
            pass


def test_gpus_are_dealt_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr("invscore.engine.base._rank", lambda: 3)
    assert own_device("cuda") == "cuda:1"
    assert own_device("cuda:0") == "cuda:0"
    assert own_device("cpu") == "cpu"
