"""Many measurements by one command: a folder for each, a table of all, and going on."""

from __future__ import annotations

import csv
import hashlib
import json
import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from time import monotonic as now
from typing import Any

import torch
import typer

from invscore import __version__
from invscore.calibration.setting import describe_setting
from invscore.cli.errors import complain, say, sentence
from invscore.cli.loading import known_prior
from invscore.cli.progress import StepBar
from invscore.cli.report import as_json as to_json
from invscore.cli.restoring import Job
from invscore.engine import Engine, own_device
from invscore.files import atomic_file, clear_leftovers
from invscore.hardware import memory
from invscore.likelihood import GaussianNoise, InverseProblem
from invscore.many import named_seed, split
from invscore.methods import get_method
from invscore.priors.base import Prior
from invscore.result import Result
from invscore.saving import METRICS
from invscore.tasks.sources import Source
from invscore.tasks.task import PIXELS_TOGETHER, Task

INDEX = "index.csv"
FIRST = ("name", "status", "error", "folder")
"""Columns of index.csv before those of the metrics."""

FAILED = 1
"""Exit status where some measurements could not be restored."""

ON_CPU = 2**14
"""Most pixels, over all samples, that are restored together on a CPU: larger batches are no
faster."""

EVERY = 60.0
"""Seconds between two times that index.csv is written."""

SHOWN = 5
"""Most failures that are told on stderr: index.csv has all."""

MARK = "mark"
"""Key of metrics.json under which the settings and the file of a result are stored."""

Row = dict[str, Any]


def restore_many(
    job: Job,
    sources: Sequence[Source],
    network: Prior,
    engine: Engine,
    folder: Path,
    *,
    seed: int,
    device: str,
    as_json: bool,
) -> None:
    """Restore ``sources`` into folders of their names in ``folder``, and write its ``index.csv``.

    Those that are there already, made of the same file in the same way, are left as they are. What
    fails is in the table and on stderr, and makes the exit status 1; the others go on.
    """
    if job.memory is None:
        memory.keep_freed()
    work = _Work(job, folder, seed, device, _setting(job, network, seed))
    rows = {s.name: row for s in sources if (row := work.finished(s)) is not None}
    before = len(rows)
    write_index(folder, sources, rows)
    chunks = [
        left
        for chunk in _chunks(sources, _together(job, sources, device))
        if (left := tuple(source for source in chunk if source.name not in rows))
    ]
    total, last = len(sources) - before, now()
    alone: list[tuple[Source, ...]] = []

    def lost(chunk: tuple[Source, ...], why: str) -> list[Row]:
        if len(chunk) > 1:  # whose fault it was is seen when each is on its own
            alone.extend((source,) for source in chunk)
            return []
        return [_failed(chunk[0], why)]

    try:
        with StepBar(job.method, of="measurements") as bar:
            for todo in (chunks, alone):
                for _, made in engine.run(work, todo, lost=lost):
                    rows |= {row["name"]: row for row in made}
                    bar(max(1, len(rows) - before), total)
                    if now() - last > EVERY:
                        write_index(folder, sources, rows)
                        last = now()
    finally:
        write_index(folder, sources, rows)
        for place in {(folder / source.name).parent for source in sources}:
            clear_leftovers(place)
    _conclude(folder, sources, rows, before, as_json=as_json)


def _conclude(
    folder: Path, sources: Sequence[Source], rows: Mapping[str, Row], before: int, *, as_json: bool
) -> None:
    """Say how many were restored, of them ``before`` this run, and end with 1 where some failed."""
    failed = [row for row in rows.values() if row["status"] == "failed"]
    if 1 < len(failed) == len(rows):
        _take_back(folder)
        alike = len({row["error"] for row in failed}) == 1
        which = "" if alike else f"{failed[0]['name']}: "
        raise ValueError(f"all {len(failed)} have failed: {which}{failed[0]['error']}")
    for row in failed[:SHOWN]:
        say(f"failed: {row['name']}: {row['error']}")
    if as_json:
        content = {"restored": len(rows) - len(failed), "failed": len(failed), "before": before}
        typer.echo(to_json({**content, "index": str(folder / INDEX)}))
    else:
        known = f", {before} of them before" if before else ""
        typer.echo(f"{len(rows) - len(failed)} of {len(sources)} restored{known}")
        _print_means(rows)
        typer.echo(f"{folder / INDEX}: all numbers; results in {folder}/")
    if failed:
        complain(f"{len(failed)} of {len(sources)} have failed: {folder / INDEX} says why")
        raise typer.Exit(FAILED)


_Ready = tuple[Source, Task, tuple[str, ...]]


@dataclass(frozen=True)
class _Work:
    """A function that restores some sources, wherever it is called, and tells their rows."""

    job: Job
    folder: Path
    seed: int
    device: str
    setting: str

    def __call__(self, sources: Sequence[Source]) -> list[Row]:
        device = own_device(self.device)
        _tidy(self.folder)
        network = known_prior(self.job.prior, device)
        rows, tasks = [], []
        for source in sources:
            try:
                tasks.append((source, *self._task(source, network, device)))
            except Exception as error:
                rows.append(_failed(source, sentence(error)))
        for group in _alike(self.job, tasks):
            rows += self._restored(group, network, device)
        return rows

    def finished(self, source: Source) -> Row | None:
        """The row of a source that has been restored in the same way."""
        try:
            text = (self.folder / source.name / METRICS).read_text(encoding="utf-8")
            metrics = json.loads(text)
        except (OSError, ValueError):
            return None
        whole = isinstance(metrics, dict) and metrics.get(MARK) == self.mark(source)
        return self._row(source, metrics) if whole else None

    def mark(self, source: Source) -> str:
        """Twelve digits that change with the file and with how it is restored."""
        text = json.dumps([self.setting, source.key, source.stamp, str(source.index)])
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def _task(self, source: Source, network: Prior, device: str) -> tuple[Task, tuple[str, ...]]:
        """The task of a source, and what is odd about its file."""
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", UserWarning)
            own = named_seed(self.seed, source.key)
            task = self.job.task(source, network, seed=own, device=device)
        odd = [w for w in caught if issubclass(w.category, UserWarning)]
        return task, tuple(" ".join(str(w.message).split()) for w in odd)

    def _restored(self, group: Sequence[_Ready], network: Prior, device: str) -> list[Row]:
        """The rows of tasks with one operator; of a group that fails each is tried alone."""
        seeds = [named_seed(self.seed, source.key) for source, _, _ in group]
        try:
            together = _joined([task for _, task, _ in group])
            result = self.job.reconstruct(together, network, seed=seeds)
        except Exception as error:
            if len(group) > 1:
                return [row for one in group for row in self._restored([one], network, device)]
            return [_failed(group[0][0], sentence(error))]
        parts = split(result, self.job.fit(network, together.problem.operator))
        return [
            self._written(*ready, replace(part, seed=own), device)
            for ready, part, own in zip(group, parts, seeds, strict=True)
        ]

    def _written(
        self, source: Source, task: Task, odd: tuple[str, ...], result: Result, device: str
    ) -> Row:
        told = replace(result, warnings=odd + result.warnings)
        try:
            metrics = self.job.write(
                self.folder / source.name, source, task, told, device, **{MARK: self.mark(source)}
            )
        except Exception as error:
            return _failed(source, sentence(error))
        return self._row(source, metrics)

    def _row(self, source: Source, metrics: Mapping[str, Any]) -> Row:
        own = {"name": source.name, "status": "done", "error": "", "folder": source.name}
        return own | {k: v for k, v in metrics.items() if k not in (MARK, "versions")}


def _take_back(folder: Path) -> None:
    """The table of nothing, and the folder if it holds no more."""
    (folder / INDEX).unlink(missing_ok=True)
    if not any(folder.iterdir()):
        folder.rmdir()


def write_index(folder: Path, sources: Sequence[Source], rows: Mapping[str, Row]) -> None:
    """Write the table of ``rows``, in the order of ``sources``: as a whole or not at all."""
    known = [_flat(rows[source.name]) for source in sources if source.name in rows]
    columns = list(dict.fromkeys([*FIRST, *(name for row in known for name in row)]))
    with (
        atomic_file(folder / INDEX) as partial,
        partial.open("w", encoding="utf-8", newline="") as file,
    ):
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(known)


def _flat(row: Mapping[str, Any]) -> Row:
    """A row of plain cells: options by name, sentences with a bar between."""
    flat: Row = {}
    for name, value in row.items():
        if isinstance(value, Mapping):
            flat |= {f"{name}.{key}": inner for key, inner in value.items()}
        elif isinstance(value, (list, tuple)):
            flat[name] = (" | " if any(isinstance(v, str) for v in value) else " ").join(
                map(str, value)
            )
        else:
            flat[name] = value
    return flat


def _failed(source: Source, why: str) -> Row:
    return {"name": source.name, "status": "failed", "error": why, "folder": ""}


def _print_means(rows: Mapping[str, Row]) -> None:
    for name, unit in (("psnr", " dB"), ("ssim", ""), ("residual", " times the noise")):
        values = [row[name] for row in rows.values() if row.get(name) is not None]
        if values:
            typer.echo(f"mean {name} {math.fsum(values) / len(values):.4g}{unit}")


def _setting(job: Job, network: Prior, seed: int) -> str:
    """All settings on which the results depend, but for the file."""
    info = get_method(job.method)
    described = describe_setting(
        job.spec,
        job.prior,
        network,
        info,
        job.options,
        samples=job.samples,
        noise=job.noise,
        scale=job.scale,
    )
    widened = None if job.calibration is None else job.calibration.content()
    shape = [job.size, job.shape, job.part]
    more = [__version__, seed, job.simulated, *shape, job.page, job.probes, job.precision, widened]
    return json.dumps([described, more], sort_keys=True, default=str)


def _chunks(sources: Sequence[Source], size: int) -> list[Sequence[Source]]:
    return [sources[first : first + size] for first in range(0, len(sources), size)]


def _together(job: Job, sources: Sequence[Source], device: str) -> int:
    """How many measurements make a batch: told by the size of the first.

    One where there are probes, which warn of a single measurement.
    """
    if job.probes:
        return 1
    if job.batch_size is not None:
        return max(1, job.batch_size // job.samples)
    try:
        pixels = job.pixels(sources[0])
    except Exception:  # told when its turn comes
        return 1
    room = ON_CPU if device in ("cpu", "auto") else PIXELS_TOGETHER
    return max(1, room // (job.samples * max(1, pixels)))


def _alike(job: Job, tasks: Sequence[_Ready]) -> list[list[_Ready]]:
    """Groups of those that have one operator: of one kind, shape and mask, with one scale."""
    groups: dict[tuple[Any, ...], list[_Ready]] = {}
    for ready in tasks:
        operator, y = ready[1].problem.operator, ready[1].problem.y
        mask = operator.measured
        seen = None if mask is None else mask.cpu().numpy().tobytes()
        key = (type(operator), operator.in_shape, operator.out_shape, y.dtype, seen)
        groups.setdefault((*key, job.factor(ready[1]), ready[1].apart), []).append(ready)
    return list(groups.values())


def _joined(tasks: Sequence[Task]) -> Task:
    """One task that holds several measurements."""
    if len(tasks) == 1:
        return tasks[0]
    problems = [task.problem for task in tasks]
    y, law = torch.cat([problem.y for problem in problems]), problems[0].noise
    laws = [p.noise for p in problems if isinstance(p.noise, GaussianNoise)]
    if laws:  # of estimated levels, each its own
        levels = [torch.as_tensor(each.sigma).flatten()[:1].to(y.device) for each in laws]
        law = GaussianNoise(torch.cat(levels))
    joined = InverseProblem(problems[0].operator, y, law)
    return replace(tasks[0], problem=joined, truth=None, unweighted=None)


@lru_cache(maxsize=2)
def _tidy(folder: Path) -> None:
    """Once in a process: what others of this machine have left when they were killed."""
    clear_leftovers(folder)
