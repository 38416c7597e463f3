"""Many measurements by one command: what workers gain, and what a measurement costs beside them.

    python examples/benchmarks/engine.py [--workers 1,2] [--count 40] [--size 128] [--steps N]
    python examples/benchmarks/engine.py --count 4 --size 64 --steps 2 --workers 1

Photographs of SIZE x SIZE pixels, cut out of a sample of scikit-image, are blurred and restored by
``invscore reconstruct --image FOLDER`` with ``photos-gray``, once for each number of workers, all
of ``--threads`` threads, into a new folder each time. Prints, start-up of processes and the network
that each loads left out, the seconds of each run and the ratio to one worker; processor time a
measurement, and how busy the workers were: 100 % each where nothing else runs on the machine and
nobody waits. And whether all runs have the same samples. Two cores take some four minutes.

Then one process restores some of them again, and its processor time is told apart: the network, the
rest of the method, and the overhead: reading, preparing, checks, metrics, pictures and tables. What
a command does once, however many measurements it has, is told by itself.
"""

from __future__ import annotations

import argparse
import functools
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import psutil  # type: ignore[import-untyped]
import torch
from typer.testing import CliRunner

from invscore import driver
from invscore.cli import many
from invscore.cli.main import app
from invscore.cli.restoring import Job
from invscore.images import load_image, save_image
from invscore.priors import NetworkPrior

THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")

ALONE = 20
"""Measurements of the second part."""


def make_images(folder: Path, count: int, size: int) -> None:
    """``count`` different cuts of one photograph."""
    whole = load_image("camera")
    places = whole.shape[-1] - size
    for k in range(count):
        top, left = 37 * k % places, 91 * k % places
        save_image(folder / f"{k:04d}.png", whole[:, top : top + size, left : left + size])


def command(images: Path, out: Path, steps: int | None) -> list[str]:
    options = ["--op", "deblur", "--prior", "photos-gray", "--samples", "2", "--device", "cpu"]
    options += [] if steps is None else ["--steps", str(steps)]
    return ["reconstruct", *options, "--image", str(images), "--out", str(out)]


def timed_run(
    images: Path, out: Path, workers: int, steps: int | None, threads: int
) -> tuple[float, float, float]:
    """Seconds until the first result is there, from then until the last, and of processors then."""
    began = time.monotonic()
    line = [sys.executable, "-m", "invscore", *command(images, out, steps)]
    with subprocess.Popen(
        [*line, "--workers", str(workers)],
        env={**os.environ, **dict.fromkeys(THREADS, str(threads))},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        first: float | None = None
        before: float = 0
        used: float = 0
        while process.poll() is None:
            used = max(used, processor_time(process.pid))
            if first is None and any(out.glob("*/metrics.json")):
                first, before = time.monotonic(), used
            time.sleep(0.05)
    if process.returncode:
        raise SystemExit(f"with {workers} workers the command ended with {process.returncode}")
    ended = time.monotonic()
    first = ended if first is None else first
    return first - began, ended - first, used - before


def processor_time(pid: int) -> float:
    """Seconds that a process and those that it has started have worked."""
    total: float = 0
    with suppress(psutil.Error):
        first = psutil.Process(pid)
        for process in (first, *first.children(recursive=True)):
            with suppress(psutil.Error):
                times = process.cpu_times()
                total += times.user + times.system
    return total


def samples(folder: Path) -> dict[str, np.ndarray[Any, Any]]:
    return {file.parent.name: np.load(file)["samples"] for file in folder.glob("*/arrays.npz")}


class Clock:
    """Seconds of processor time within functions, by name."""

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()

    def watch(self, owner: Any, function: str, name: str) -> None:
        """Have ``owner.function`` counted under ``name``."""
        inner: Callable[..., Any] = getattr(owner, function)

        @functools.wraps(inner)
        def watched(*arguments: Any, **options: Any) -> Any:
            began = time.process_time()
            try:
                return inner(*arguments, **options)
            finally:
                self.seconds[name] += time.process_time() - began

        setattr(owner, function, watched)


def costs(images: Path, folder: Path, steps: int | None) -> dict[str, float]:
    """Milliseconds of processor time a measurement: what one process spends on what."""
    clock, runner = Clock(), CliRunner()
    torch.set_num_threads(1)
    some = folder / "some"
    some.mkdir()
    for file in sorted(images.iterdir())[:ALONE]:
        shutil.copy(file, some)
    # The first run loads the network and all libraries.
    runner.invoke(app, command(some, folder / "warm", steps), catch_exceptions=False)
    clock.watch(NetworkPrior, "_predict", "network")
    clock.watch(driver, "run_to_end", "method")
    clock.watch(Job, "task", "reading and preparing")
    clock.watch(Job, "reconstruct", "reconstruct")
    clock.watch(Job, "write", "metrics, pictures and arrays")
    clock.watch(many, "_setting", "once")
    clock.watch(many, "_together", "once")
    clock.watch(many, "restore_many", "all")
    runner.invoke(app, command(some, folder / "again", steps), catch_exceptions=False)
    spent = clock.seconds
    known = sum(
        spent[name]
        for name in ("reconstruct", "reading and preparing", "metrics, pictures and arrays", "once")
    )
    found = {
        "network": spent["network"],
        "method": spent["method"] - spent["network"],
        "reading and preparing": spent["reading and preparing"],
        "scale, choice of method and checks": spent["reconstruct"] - spent["method"],
        "metrics, pictures and arrays": spent["metrics, pictures and arrays"],
        "table and all else": spent["all"] - known,
    }
    each = {name: 1e3 * seconds / len(list(some.iterdir())) for name, seconds in found.items()}
    return each | {"once for a command": 1e3 * spent["once"]}


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--workers", default="1,2", help="numbers of workers, one after the other")
    parser.add_argument("--count", type=int, default=40, help="measurements")
    parser.add_argument("--threads", type=int, default=1, help="of a worker")
    parser.add_argument("--size", type=int, default=128, help="pixels of a side, below 512")
    parser.add_argument("--steps", type=int, help="of the method; its own number by default")
    asked = parser.parse_args()
    alike = True
    with tempfile.TemporaryDirectory() as place:
        folder, images = Path(place), Path(place) / "images"
        make_images(images, asked.count, asked.size)
        seconds: dict[int, float] = {}
        known: dict[str, np.ndarray[Any, Any]] = {}
        for workers in map(int, asked.workers.split(",")):
            out = folder / f"workers-{workers}"
            start, spent, used = timed_run(images, out, workers, asked.steps, asked.threads)
            seconds[workers] = spent
            line = f"{workers} workers: {spent:.1f} s after {start:.1f} s of start-up"
            line += f", {used / asked.count:.2f} s of processor time a measurement"
            line += f", {used / (spent * workers * asked.threads):.0%} busy"
            if 1 in seconds and workers > 1:
                line += f", {seconds[1] / seconds[workers]:.2f} times as fast as one"
            print(line, flush=True)
            here = samples(out)
            known = known or here
            alike &= here.keys() == known.keys() and all(
                np.array_equal(here[name], known[name]) for name in known
            )
        print(f"all {len(known)} samples are {'the same' if alike else 'NOT the same'}\n")
        found = costs(images, folder, asked.steps)
        once = found.pop("once for a command")
        overhead = sum(list(found.values())[2:])
    print("| of a measurement | ms of processor time |")
    print("| --- | ---: |")
    for name, each in found.items():
        print(f"| {name} | {each:.1f} |")
    print(f"| overhead: the last four | {overhead:.1f} |")
    print(f"| once for a command | {once:.1f} |")
    return 0 if alike else 1


if __name__ == "__main__":
    raise SystemExit(main())
