"""Output of a run: rows and tables in several formats, figures and the page."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from invscore import metrics
from invscore.bench.imaging import tables
from invscore.bench.imaging.cells import Outcome, remembered
from invscore.bench.imaging.config import ImagingConfig
from invscore.bench.imaging.figures import cost_figure, strip_figure
from invscore.bench.imaging.rows import COSTS, QUALITY, Row, means, rows_of
from invscore.bench.versions import commit, versions
from invscore.files import atomic_file
from invscore.viewer import Entry, write_page

ROWS, TABLE, PAGE = "results.json", "tables.md", "index.html"
CELLS = "cells"
PIXELS = 150 * 10**6
"""Most pixels in all pictures of the page: a browser opens 150 MB in a moment."""
BYTES = 2
"""Bytes of a pixel in the file of a cell."""
STRIPS = 3
"""Most images of a task whose pictures are written side by side into a file."""

HEAD = """\
# Imaging benchmark

`{command}`

{facts}

Means over images ± their standard errors; the best of each column in bold. A star: the method
refused some of the images, and the mean is over the others. A dash: it refused all, or has no such
figure. The last column is the mean over tasks of the methods that serve all of them.
"""


def write_tables(
    config: ImagingConfig, outcomes: Sequence[Outcome], folder: Path, *, command: str
) -> dict[str, Any]:
    """Write all numbers of a run to ``folder``, and return what their JSON file holds.

    ``results.json``: ``command``, ``config``, ``facts``, ``rows`` and ``means``. ``rows.csv``,
    ``means.csv``. ``tables.md`` and ``tables.tex``: all that two runs of the same work agree on;
    ``costs.md``: seconds and memory.
    """
    cells = folder / CELLS
    rows = rows_of(outcomes, config, cells)
    found = means(rows)
    if config.fid:
        found = [{**mean, "fid": _fid(mean, outcomes, cells)} for mean in found]
    content = {
        "command": command,
        "config": config.model_dump(mode="json"),
        "facts": _facts(config),
        "rows": rows,
        "means": found,
    }
    texts = {
        ROWS: json.dumps(content, indent=1, allow_nan=False) + "\n",
        "rows.csv": tables.rows_as_csv(rows),
        "means.csv": tables.means_as_csv(found),
        TABLE: _page_of_tables(content),
        "tables.tex": "\n".join(tables.latex(each) for each in tables.tables(found)),
        "costs.md": _sections(tables.tables(found, COSTS)),
    }
    for name, text in texts.items():
        with atomic_file(folder / name) as file:
            file.write_text(text, encoding="utf-8")
    return content


def write_pictures(content: Mapping[str, Any], outcomes: Sequence[Outcome], folder: Path) -> None:
    """Write ``figures/`` and the page ``index.html`` of what ``write_tables`` has returned."""
    rows = content["rows"]
    _write_figures(rows, content["means"], outcomes, folder)
    entries = list(_entries(rows, outcomes, folder / CELLS))
    facts = {"command": content["command"], **content["facts"]}
    write_page(folder / PAGE, entries, title="Imaging benchmark", facts=facts)


def refusals(rows: Sequence[Row]) -> list[tuple[str, str, str]]:
    """Task, method and the reason, once for each that refused an image."""
    found = ((row["task"], row["method"], row["refusal"]) for row in rows if row["refusal"])
    return list(dict.fromkeys(found))


def _facts(config: ImagingConfig) -> dict[str, str]:
    """Facts that hold for all rows."""
    priors = dict.fromkeys(task.prior or config.prior for task in config.tasks)
    facts = {
        "priors": ", ".join(priors),
        "seed": str(config.seed),
        "versions": ", ".join(f"{name} {number}" for name, number in versions().items()),
    }
    if (current := commit()) is not None:
        facts["commit"] = current
    reasons = {
        "LPIPS": metrics.lpips_unavailable(),
        "FID": metrics.fid_unavailable() if config.fid else None,
    }
    facts |= {name: reason for name, reason in reasons.items() if reason is not None}
    return facts


def _page_of_tables(content: Mapping[str, Any]) -> str:
    listed = "\n".join(f"- {name}: {text}" for name, text in content["facts"].items())
    parts = [
        HEAD.format(command=content["command"], facts=listed),
        _sections(tables.tables(content["means"])),
    ]
    skipped = [
        f"- {task}: {method}: {reason}\n" for task, method, reason in refusals(content["rows"])
    ]
    if skipped:
        parts.append(f"## Skipped\n\n{''.join(skipped)}")
    return "\n".join(parts)


def _sections(found: Sequence[tables.Table]) -> str:
    return "\n".join(f"## {each.title}\n\n{tables.markdown(each)}" for each in found)


def _write_figures(
    rows: Sequence[Row],
    found: Sequence[Mapping[str, Any]],
    outcomes: Sequence[Outcome],
    folder: Path,
) -> None:
    served = [mean for mean in found if mean["psnr"] is not None]
    if served:
        for cost in ("evaluations", "seconds", "processor_seconds"):
            label = tables.COLUMNS[cost].title.lower()
            cost_figure(served, cost, label, folder / "figures" / f"psnr-{cost}.png")
    for task in dict.fromkeys(row["task"] for row in rows):
        strips = list(_strips(task, outcomes, folder / CELLS))
        if strips:
            strip_figure(strips, folder / "figures" / f"images-{task}.png")


def _strips(
    task: str, outcomes: Sequence[Outcome], cells: Path
) -> Iterator[tuple[str, float, dict[str, tuple[Tensor, str]]]]:
    """The first images of a task: measurement, what each method made of it, truth."""
    own = [o for o in outcomes if o.cell.task == task and o.cell.repeat == 0 and not o.refusal]
    for image in list(dict.fromkeys(outcome.cell.source.name for outcome in own))[:STRIPS]:
        stored = [_with_tensors(o, cells) for o in own if o.cell.source.name == image]
        first = stored[0].tensors
        pictures = {"measurement": (first["measurement"], "")} if "measurement" in first else {}
        pictures |= {
            outcome.cell.label: (
                outcome.tensors["reconstruction"],
                "" if outcome.figures["psnr"] is None else f"{outcome.figures['psnr']:.2f} dB",
            )
            for outcome in stored
        }
        pictures["truth"] = (first["truth"], "")
        yield image, max(1.0, float(first["truth"].max())), pictures


def _entries(rows: Sequence[Row], outcomes: Sequence[Outcome], cells: Path) -> Iterator[Entry]:
    """The entries of the page, all of them with figures; with pictures as many as it can hold.

    These are of the first images of every task, so that methods can be compared.
    """
    pictured = _pictured(outcomes, cells)
    columns = [
        name
        for name in (*QUALITY, "evaluations", "jacobian_products", *COSTS)
        if any(row[name] is not None for row in rows)
    ]
    for row, outcome in zip(rows, outcomes, strict=True):
        figures = {name: row[name] for name in columns}
        if any(other["refusal"] for other in rows):
            figures["refusal"] = row["refusal"]
        stored = _with_tensors(outcome, cells).tensors if outcome.cell.file in pictured else {}
        stored.pop("errors", None)
        samples = stored.pop("samples", None)
        yield Entry(
            task=row["task"],
            image=row["image"],
            method=row["method"],
            pictures={name: picture.float() for name, picture in stored.items()},
            samples=None if samples is None else samples.float(),
            figures=figures,
            options=row["options"],
            seed=row["seed"],
        )


def _pictured(outcomes: Sequence[Outcome], cells: Path) -> set[str]:
    """The files of as many first images of each task as the page has room for."""
    order: dict[str, list[tuple[str, int]]] = {}
    by_rank: dict[int, list[Path]] = {}
    for cell in (outcome.cell for outcome in outcomes):
        seen = order.setdefault(cell.task, [])
        place = (cell.source.name, cell.repeat)
        if place not in seen:
            seen.append(place)
        by_rank.setdefault(seen.index(place), []).append(cells / cell.file)
    chosen: set[str] = set()
    room = PIXELS
    for rank, files in sorted(by_rank.items()):
        room -= sum(file.stat().st_size // BYTES for file in files)
        if room < 0 and rank > 0:
            break
        chosen |= {file.name for file in files}
    return chosen


def _fid(mean: Mapping[str, Any], outcomes: Sequence[Outcome], cells: Path) -> float | None:
    """The Frechet distance of a method's images of a task from the true ones."""
    own = [
        _with_tensors(o, cells).tensors
        for o in outcomes
        if (o.cell.task, o.cell.label) == (mean["task"], mean["method"]) and not o.refusal
    ]
    if len(own) < 2 or len({tensors["truth"].shape for tensors in own}) > 1:
        return None
    restored, true = (
        torch.stack([tensors[name].float() for tensors in own])
        for name in ("reconstruction", "truth")
    )
    return metrics.fid(restored, true)


def _with_tensors(outcome: Outcome, cells: Path) -> Outcome:
    stored = remembered(outcome.cell, cells, tensors=True)
    assert stored is not None  # its figures have been read from there
    return stored
