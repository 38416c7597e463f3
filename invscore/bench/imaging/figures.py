"""Pictures of the results: quality against cost, and the images themselves."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor

from invscore.files import atomic_file

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DPI = 150
WIDTH, HEIGHT = 3.6, 2.9  # inches of a panel
COLUMNS = 4
MARKERS = "osD^v<>Pp*hX"
PICTURE = 1.5  # inches of an image in a strip


def cost_figure(found: Sequence[Mapping[str, Any]], cost: str, label: str, path: Path) -> None:
    """PSNR against a ``cost`` of the means ``found``, a panel for each task.

    A mark for each method, with its standard error; a line across for what has no such cost.
    Methods whose labels differ in a number alone, as ``dpir-8`` and ``dpir-16``, are a curve.
    """
    # Half a second to import; a Figure without pyplot needs no display.
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

    tasks = list(dict.fromkeys(mean["task"] for mean in found))
    curves = list(dict.fromkeys(curve_of(mean["method"]) for mean in found))
    rows = math.ceil(len(tasks) / COLUMNS)
    columns = math.ceil(len(tasks) / rows)
    figure = Figure(figsize=(WIDTH * columns + 1.8, HEIGHT * rows), dpi=DPI, layout="constrained")
    handles: dict[str, Any] = {}
    for place, task in enumerate(tasks):
        axes = figure.add_subplot(rows, columns, place + 1)
        known = [mean for mean in found if mean["task"] == task and mean["psnr"] is not None]
        for number, curve in enumerate(curves):
            points = [mean for mean in known if curve_of(mean["method"]) == curve]
            colour = f"C{number % 10}"
            for mean in points:
                if not mean[cost]:
                    handles[curve] = axes.axhline(
                        mean["psnr"], color=colour, linewidth=1, linestyle="--"
                    )
            priced = sorted((m for m in points if m[cost]), key=lambda mean: mean[cost])
            if priced:
                handles[curve] = axes.errorbar(
                    [mean[cost] for mean in priced],
                    [mean["psnr"] for mean in priced],
                    yerr=[mean["psnr_se"] or 0 for mean in priced],
                    color=colour,
                    marker=MARKERS[number % len(MARKERS)],
                    markersize=4,
                    linewidth=1,
                    elinewidth=0.4,
                )
        axes.set(title=task, xlabel=label)
        if axes.containers:
            axes.set_xscale("log")
            axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
            axes.xaxis.set_minor_formatter(NullFormatter())
        axes.grid(visible=True, linewidth=0.3)
        if place % columns == 0:
            axes.set_ylabel("PSNR in dB")
    shown = [curve for curve in curves if curve in handles]
    figure.legend(
        [handles[curve] for curve in shown],
        shown,
        loc="outside right center",
        fontsize=7,
        frameon=False,
    )
    _save(figure, path)


def curve_of(label: str) -> str:
    """The label of a method without its first number: ``auto-of-2`` of ``auto-5-of-2``."""
    return re.sub(r"-\d+(?![\w.])", "", label, count=1)


def strip_figure(
    strips: Sequence[tuple[str, float, Mapping[str, tuple[Tensor, str]]]], path: Path
) -> None:
    """Images of one task: a line for each of ``strips``, side by side what it holds.

    A strip is the image's name, the intensity that is shown white, and by title the pictures
    (c, h, w) with their captions; all have the same titles.
    """
    from matplotlib.figure import Figure

    titles = list(dict.fromkeys(title for _, _, pictures in strips for title in pictures))
    figure = Figure(
        figsize=(PICTURE * len(titles), 1.18 * PICTURE * len(strips)),
        dpi=DPI,
        layout="constrained",
    )
    for line, (name, white, pictures) in enumerate(strips):
        for column, title in enumerate(titles):
            axes = figure.add_subplot(len(strips), len(titles), line * len(titles) + column + 1)
            axes.set_xticks([])
            axes.set_yticks([])
            for spine in axes.spines.values():
                spine.set_visible(False)
            if column == 0:
                axes.set_ylabel(name, fontsize=7)
            if line == 0:
                axes.set_title(title, fontsize=7)
            if title not in pictures:
                continue
            image, caption = pictures[title]
            pixels = np.asarray((image.float() / white).clamp(0, 1).movedim(0, -1))
            axes.imshow(
                pixels[..., 0] if pixels.shape[-1] == 1 else pixels, cmap="gray", vmin=0, vmax=1
            )
            axes.set_xlabel(caption, fontsize=6)
    _save(figure, path)


def _save(figure: Figure, path: Path) -> None:
    with atomic_file(path) as partial:
        figure.savefig(partial, format="png")
