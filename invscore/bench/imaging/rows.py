"""Rows of a run, one for each cell, and their means over images."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from invscore.bench.imaging.cells import Cell, Outcome, remembered
from invscore.bench.imaging.config import ImagingConfig
from invscore.bench.imaging.scores import FIGURES, held
from invscore.calibration.factors import factors_of

Row = dict[str, Any]
"""``task``, ``image``, ``method`` (its label), ``prior``, ``seed``, ``repeat``, ``samples``; the
figures of ``scores.measure``, with ``coverage90_calibrated`` and ``width90_calibrated`` where there
is a calibration; ``residual``; for all samples together ``evaluations``, ``jacobian_products``
(but for those that deepinv takes by itself), ``seconds`` and ``processor_seconds``; ``peak_memory``
in MB; ``op``, ``noise``, ``options``, ``device``, ``versions``; and ``refusal``, why there are no
figures."""

CALIBRATED = ("coverage90_calibrated", "width90_calibrated")
QUALITY = (*FIGURES, *CALIBRATED, "residual")
COUNTS = ("evaluations", "jacobian_products")
COSTS = ("seconds", "processor_seconds", "peak_memory")
"""Columns that differ between two runs of the same work."""


def rows_of(outcomes: Iterable[Outcome], config: ImagingConfig, folder: Path) -> list[Row]:
    """The rows, in the order of the outcomes; ``folder`` holds what calibrated intervals need.

    Raises ``ValueError`` for a calibration that cannot be read or belongs to other options.
    """
    factors = {method.label: factors_of(method) for method in config.methods}
    return [_row(outcome, factors, folder) for outcome in outcomes]


def _row(outcome: Outcome, factors: Mapping[str, Mapping[str, float]], folder: Path) -> Row:
    cell, figures = outcome.cell, outcome.figures
    return {
        "task": cell.task,
        "image": cell.source.name,
        "method": cell.label,
        "prior": cell.prior,
        "seed": cell.seed,
        "repeat": cell.repeat,
        "samples": cell.samples,
        **{name: figures.get(name) for name in FIGURES},
        **_calibrated(cell, figures, factors, folder),
        **{name: figures.get(name) for name in ("residual", *COUNTS, *COSTS)},
        "op": cell.op,
        "noise": cell.noise,
        "name": cell.method,
        "options": cell.options,
        "device": figures.get("device"),
        "versions": figures.get("versions"),
        "refusal": outcome.refusal or None,
    }


def _calibrated(
    cell: Cell,
    figures: Mapping[str, Any],
    factors: Mapping[str, Mapping[str, float]],
    folder: Path,
) -> dict[str, float | None]:
    """Coverage and width of the intervals that the calibration of the method widens."""
    factor = factors[cell.label].get(cell.task)
    if factor is None or figures.get("width90") is None:
        return dict.fromkeys(CALIBRATED)
    stored = remembered(cell, folder, tensors=True)
    assert stored is not None  # its figures have been read from there
    values = (held(stored.tensors["errors"], factor), factor * figures["width90"])
    return dict(zip(CALIBRATED, values, strict=True))


def means(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Mean of every figure over images and seeds, for each task and method, costs among them.

    ``images`` counts those that have figures, ``refused`` the rows that have none, for the first
    ``refusal``. Beside each mean stands ``NAME_se``, its standard error over images (seeds of one
    image being averaged first), and ``NAME_se_seeds``, what other seeds would change of it on the
    same images; ``None`` where one image, or one seed, tells none.
    """
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((row["task"], row["method"]), []).append(row)
    return [_mean_row(task, method, group) for (task, method), group in groups.items()]


def _mean_row(task: str, method: str, group: Sequence[Row]) -> dict[str, Any]:
    sound = [row for row in group if row["refusal"] is None]
    refusals = [row["refusal"] for row in group if row["refusal"] is not None]
    found: dict[str, Any] = {
        "task": task,
        "method": method,
        "prior": group[0]["prior"],
        "samples": group[0]["samples"],
        "images": len({row["image"] for row in sound}),
        "refused": len(refusals),
        "refusal": refusals[0] if refusals else None,
    }
    for name in (*QUALITY, *COUNTS, *COSTS):
        by_image: dict[str, list[float]] = {}
        for row in sound:
            if row[name] is not None:
                by_image.setdefault(row["image"], []).append(row[name])
        mean, over_images, over_seeds = mean_and_errors(list(by_image.values()))
        found |= {name: mean, f"{name}_se": over_images, f"{name}_se_seeds": over_seeds}
    return found


def mean_and_errors(
    values: Sequence[Sequence[float]],
) -> tuple[float | None, float | None, float | None]:
    """The mean of ``values``, a sequence for each image, and its errors over images and seeds."""
    if not values:
        return None, None, None
    each = np.array([np.mean(own) for own in values])
    over_images = float(each.std(ddof=1) / math.sqrt(len(each))) if len(each) > 1 else None
    several = [np.var(own, ddof=1) / len(own) for own in values if len(own) > 1]
    over_seeds = float(math.sqrt(np.mean(several) / len(each))) if several else None
    return float(each.mean()), over_images, over_seeds
