"""Tables of the means, as text, Markdown, LaTeX and CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from invscore.bench.imaging.rows import COSTS, COUNTS, QUALITY, Row
from invscore.options.markdown import markdown_table


@dataclass(frozen=True)
class Column:
    """A figure in tables: its title, its decimals, and which is better: 1 more, -1 less, 0 none."""

    title: str
    decimals: int
    better: int


COLUMNS = {
    "psnr": Column("PSNR in dB", 2, 1),
    "ssim": Column("SSIM", 3, 1),
    "lpips": Column("LPIPS", 3, -1),
    "psnr_sample": Column("PSNR of a single sample in dB", 2, 1),
    "ssim_sample": Column("SSIM of a single sample", 3, 1),
    "lpips_sample": Column("LPIPS of a single sample", 3, -1),
    "coverage90": Column("Coverage of 90 % intervals, uncalibrated", 3, 0),
    "coverage90_calibrated": Column("Coverage of 90 % intervals, calibrated", 3, 0),
    "width90": Column("Width of 90 % intervals, uncalibrated", 4, 0),
    "width90_calibrated": Column("Width of 90 % intervals, calibrated", 4, 0),
    "crps": Column("CRPS", 4, -1),
    "residual": Column("Residual over noise", 3, 0),
    "fid": Column("FID", 2, -1),
    "evaluations": Column("Denoiser evaluations for an image", 0, 0),
    "jacobian_products": Column("Products with the denoiser's Jacobian for an image", 0, 0),
    "seconds": Column("Seconds for an image", 2, 0),
    "processor_seconds": Column("Processor seconds for an image", 2, 0),
    "peak_memory": Column("Peak memory in MB", 0, 0),
}
REPEATABLE = tuple(name for name in COLUMNS if name not in COSTS)
"""Columns that agree between two runs of the same work."""

MEAN = "mean"


SUMMARY = ("coverage90", "coverage90_calibrated", "evaluations", "seconds", "processor_seconds")
"""Columns that the terminal shows beside PSNR."""


@dataclass(frozen=True)
class Table:
    """Table of one figure: a line for each method, a column for each task and one for their mean.

    ``best``: the places (line, column) of the best entry of each column.
    """

    title: str
    columns: list[str]
    lines: list[list[str]]
    best: frozenset[tuple[int, int]]


def tables(found: Sequence[Mapping[str, Any]], names: Iterable[str] = REPEATABLE) -> list[Table]:
    """A table for each of the figures ``names`` that any of the means has."""
    return [
        table(found, name) for name in names if any(mean.get(name) is not None for mean in found)
    ]


def table(found: Sequence[Mapping[str, Any]], name: str) -> Table:
    """The means of the figure ``name``, with their standard errors over images.

    The mean over tasks is that of the methods that serve all of them. A star marks means that lack
    images which the method refused; a dash that it refused all.
    """
    column = COLUMNS[name]
    tasks = list(dict.fromkeys(mean["task"] for mean in found))
    methods = list(dict.fromkeys(mean["method"] for mean in found))
    by_place = {(mean["method"], mean["task"]): mean for mean in found}
    numbers: dict[tuple[int, int], float] = {}
    lines = []
    for i, method in enumerate(methods):
        own = [by_place.get((method, task), {}) for task in tasks]
        values = [mean.get(name) for mean in own]
        numbers |= {(i, j): v for j, v in enumerate(values) if v is not None}
        texts = [_entry(mean, name, column.decimals) for mean in own]
        known = [v for v in values if v is not None]
        if len(tasks) > 1 and len(known) == len(tasks):
            numbers[i, len(tasks)] = sum(known) / len(known)
            texts.append(f"{numbers[i, len(tasks)]:.{column.decimals}f}")
        elif len(tasks) > 1:
            texts.append("-")
        lines.append([method, *texts])
    heads = [*tasks, MEAN] if len(tasks) > 1 else tasks
    best = _best(numbers, column, len(heads)) if len(methods) > 1 else frozenset()
    kept = [i for i, line in enumerate(lines) if any(text != "-" for text in line[1:])]
    return Table(
        column.title,
        ["method", *heads],
        [lines[i] for i in kept],
        frozenset((kept.index(i), j + 1) for i, j in best),
    )


def summary(found: Sequence[Mapping[str, Any]]) -> Table:
    """Intervals and costs: means over the tasks that a method serves."""
    lines = []
    for method in dict.fromkeys(mean["method"] for mean in found):
        own = [mean for mean in found if mean["method"] == method and mean["images"]]
        texts = [method, f"{len(own)}"]
        for name in SUMMARY:
            values = [mean[name] for mean in own if mean[name] is not None]
            decimals = COLUMNS[name].decimals
            texts.append(f"{sum(values) / len(values):.{decimals}f}" if values else "-")
        lines.append(texts)
    heads = ["method", "tasks", "coverage", "calibrated", "evaluations", "seconds", "of processor"]
    return Table("Intervals and costs", heads, lines, frozenset())


def _entry(mean: Mapping[str, Any], name: str, decimals: int) -> str:
    value = mean.get(name)
    if value is None:
        return "-"
    error = mean.get(f"{name}_se")
    spread = f" ± {error:.{decimals}f}" if error else ""  # counts that do not vary have none
    return f"{value:.{decimals}f}{spread}{'*' if mean['refused'] else ''}"


def _best(
    numbers: Mapping[tuple[int, int], float], column: Column, columns: int
) -> frozenset[tuple[int, int]]:
    """Places of the entries that print like the best one of their column."""
    if column.better == 0:
        return frozenset()
    found: set[tuple[int, int]] = set()
    for j in range(columns):
        own = {place: round(v, column.decimals) for place, v in numbers.items() if place[1] == j}
        top = max((column.better * value for value in own.values()), default=0.0)
        found |= {place for place, value in own.items() if column.better * value == top}
    return frozenset(found)


def markdown(each: Table) -> str:
    """The table in Markdown, the best in bold."""
    rows = [
        [f"**{text}**" if (i, j) in each.best else text for j, text in enumerate(line)]
        for i, line in enumerate(each.lines)
    ]
    return markdown_table(each.columns, rows, numbers=len(each.columns) - 1)


def latex(each: Table) -> str:
    """The table in LaTeX, with the package booktabs, the best in bold."""
    body = [
        [
            f"\\textbf{{{_tex(text)}}}" if (i, j) in each.best else _tex(text)
            for j, text in enumerate(line)
        ]
        for i, line in enumerate(each.lines)
    ]
    lines = [
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{_tex(each.title)}.}}",
        rf"\begin{{tabular}}{{l{'r' * (len(each.columns) - 1)}}}",
        r"\toprule",
        " & ".join(map(_tex, each.columns)) + r" \\",
        r"\midrule",
        *(" & ".join(line) + r" \\" for line in body),
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def means_as_csv(found: Sequence[Mapping[str, Any]]) -> str:
    """The means but for their costs, a line for each task and method."""
    names = [name for name in REPEATABLE if name in found[0]]
    errors = [f"{name}{end}" for name in names for end in ("", "_se", "_se_seeds")]
    known = [name for name in errors if name in found[0]]
    return _csv(["task", "method", "prior", "samples", "images", "refused", *known], found)


def rows_as_csv(rows: Sequence[Row]) -> str:
    """Every row with all its numbers."""
    heads = ["task", "image", "method", "prior", "seed", "repeat", "samples"]
    return _csv([*heads, *QUALITY, *COUNTS, *COSTS, "op", "noise", "device", "refusal"], rows)


def _csv(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _tex(text: str) -> str:
    for plain, escaped in {"&": r"\&", "%": r"\%", "_": r"\_", "#": r"\#", "±": r"$\pm$"}.items():
        text = text.replace(plain, escaped)
    return "--" if text == "-" else text
