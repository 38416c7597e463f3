"""Output of a reconstruction: its numbers, its files and the table on the terminal."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from rich.markup import escape
from rich.table import Table
from torch import Tensor

from invscore import saving
from invscore.bench.versions import versions
from invscore.calibration import Calibration
from invscore.cli.native import NATIVE, Origin
from invscore.cli.report_page import REPORT, shown, write_report
from invscore.cli.tables import Output
from invscore.figures import middle_slice, panel, picture
from invscore.files import check_writable
from invscore.metrics import SSIM_WINDOW, psnr, ssim
from invscore.result import Result
from invscore.saving import ARRAYS, METRICS
from invscore.tasks.pictures import Window, measurement_picture
from invscore.tasks.task import Task, backprojection
from invscore.uncertainty import Interval

PICTURES = (
    "reconstruction.png",
    "measurement.png",
    "mean.png",
    "std.png",
    "truth.png",
    "figure.png",
    "kernel.png",
)
FILES = (*PICTURES, ARRAYS, METRICS, REPORT)

AT_ONCE = 2**18
"""Most numbers of an image that are compared with the truth together, which bounds the memory."""

Score = Callable[[Tensor, Tensor, float], Tensor]


def check_folder(folder: Path, *, overwrite: bool, mark: str = METRICS) -> None:
    """Raise ``ValueError`` where results could not be, or had better not be, put.

    A folder with results of an earlier run, known by the file ``mark``, is written over, one with
    anything else is not.
    """
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"output folder {str(folder)!r} is a file")
    foreign = folder.is_dir() and any(folder.iterdir()) and not (folder / mark).exists()
    if foreign and not overwrite:
        raise ValueError(
            f"`--out` must be empty or hold results of invscore, got {str(folder)!r}: choose "
            "another, or give --overwrite"
        )
    check_writable(folder)


def measure(task: Task, result: Result) -> dict[str, Any]:
    """The quality of a result: PSNR in dB, SSIM, and the discrepancy of the reconstruction.

    The reconstruction is the mean of the samples, in the window that the measurement shows.
    ``discrepancy`` is the rms of ``y - A(x)`` over
    the rms of the noise, and ``residual`` the same of the samples, which have 1 on average if they
    are exact; their mean has less. Without a truth, PSNR and SSIM are None.
    """
    seen = result.seen
    compared = {
        "": seen.mean,
        "_measurement": backprojection(task.in_units),
        "_sample": seen.samples[:, 0] if len(result.samples) > 1 else None,
    }
    numbers: dict[str, Any] = {f"{s}{name}": None for name in compared for s in ("psnr", "ssim")}
    if (truth := task.seen_truth) is not None:
        known = {name: images for name, images in compared.items() if images is not None}
        numbers |= _scores("psnr", psnr, known, truth, task.peak)
        if truth.ndim == 4 and min(truth.shape[-2:]) >= SSIM_WINDOW:
            numbers |= _scores("ssim", ssim, known, truth, task.peak)
    if len(result.samples) == 1:
        del numbers["psnr_sample"], numbers["ssim_sample"]
    window = shown(task, result)
    discrepancy = task.problem.discrepancy(result.mean).mean()
    return {
        **numbers,
        "peak": task.peak,
        "black_and_white": [window.low, window.high],
        "discrepancy": saving.finite(discrepancy),
        "residual": saving.finite(result.residual.mean()),
    }


def measure_interval(task: Task, calibration: Calibration, interval: Interval) -> dict[str, Any]:
    """A calibrated interval: level, factor, mean width, and the fraction of the truth inside."""
    truth = task.seen_truth
    held = None if truth is None else interval.contains(truth).cpu().double().mean()
    return {
        "level": calibration.level,
        "calibrated": True,
        "factor": calibration.factor,
        "width": saving.finite(interval.width.mean()),
        "coverage": None if held is None else saving.finite(held),
    }


def describe(result: Result, device: str) -> dict[str, Any]:
    """Facts on how a result was made."""
    threads = torch.get_num_threads()
    facts = saving.facts_of(result)
    return {**facts, "device": device, "threads": threads, "versions": versions()}


def as_json(content: Mapping[str, Any]) -> str:
    return json.dumps(content, indent=2, allow_nan=False)


def write_results(
    folder: Path,
    task: Task,
    result: Result,
    metrics: Mapping[str, Any],
    interval: Interval | None = None,
    *,
    page: bool = False,
    figure: bool = True,
    like: Origin | None = None,
) -> None:
    """Write all files of a result to ``folder``: all of them or, on an error, none.

    What the measurement shows is in all of them; ``samples_with_margin`` has what reaches beyond.
    A calibrated ``interval`` is in the arrays, and its width is in the ``figure``, if one is
    wanted. ``report.html`` is one of the files if a ``page`` is wanted; mean and spread are in the
    format of ``like`` too.
    """
    seen, truth = result.seen, task.seen_truth
    images = _images(task, result, Window(*metrics["black_and_white"]))
    spread = seen.std[0].cpu() if len(result.samples) > 1 else None
    arrays = {
        "y": task.in_units.y[0],
        "samples": seen.samples[:, 0],
        "mean": seen.mean[0],
        **({} if spread is None else {"std": spread}),
        **({} if interval is None else {"lower": interval.lower[0], "upper": interval.upper[0]}),
        **({} if truth is None else {"truth": truth[0]}),
        **({} if result.window is None else {"samples_with_margin": result.samples[:, 0]}),
    }
    deviation = None if spread is None else _by_pixel(spread)
    arrays |= task.found
    pictures = dict(images)
    if "kernel" in task.found:
        pictures["kernel"] = picture(task.found["kernel"])
    if "reconstruction" in images and spread is not None and deviation is not None:
        pictures["mean"] = images["reconstruction"]
        pictures["std"] = picture(deviation, peak=float(deviation.max()) or 1.0)

    def more(partial: Path) -> None:
        if figure and "reconstruction" in images:
            drawn = _map(metrics, deviation, interval)
            panel(images, partial / "figure.png", captions=_captions(task, metrics), **drawn)
        if like is not None:
            like.write(partial, seen.mean[0], spread)
        if page:
            write_report(partial / REPORT, task, seen, metrics)

    names = (*FILES, *NATIVE)
    saving.write(folder, pictures=pictures, arrays=arrays, facts=metrics, names=names, more=more)


def print_summary(metrics: Mapping[str, Any], folder: Path) -> None:
    """The table at the end of a run: what was gained, at what cost, and where it is."""
    console = Output(highlight=False, soft_wrap=True)
    if metrics["psnr"] is not None:
        console.print(_table_of_scores(metrics))
        console.print()
    for line in (*_cost(metrics), *_checks(metrics), *_units(metrics), *_places(folder)):
        console.print(line)


def _table_of_scores(metrics: Mapping[str, Any]) -> Table:
    """PSNR and SSIM of measurement, one sample and reconstruction."""
    table = Table(box=None, header_style="dim", pad_edge=False, padding=(0, 3, 0, 0))
    table.add_column("")
    table.add_column("PSNR", justify="right")
    table.add_column("SSIM", justify="right")
    rows = {"measurement": "_measurement", "one sample": "_sample", "reconstruction": ""}
    for row, suffix in rows.items():
        if (ratio := metrics.get(f"psnr{suffix}")) is not None:
            similarity = metrics[f"ssim{suffix}"]
            table.add_row(
                row,
                f"{ratio:.2f} dB",
                "-" if similarity is None else f"{similarity:.3f}",
                style="bold" if row == "reconstruction" else "",
            )
    return table


def _cost(metrics: Mapping[str, Any]) -> Iterator[str]:
    several = metrics["samples"] > 1
    method = saving.named(metrics["asked"], metrics["method"])
    what = f"mean of {metrics['samples']} samples" if several else "one sample"
    yield (
        f"{what} by {method}, {metrics['evaluations']:.0f} denoiser evaluations"
        f"{' each' if several else ''}, {metrics['seconds']:.1f} s on {metrics['device']}"
    )


def _checks(metrics: Mapping[str, Any]) -> Iterator[str]:
    """Lines on what the intervals hold, what does not fit, and what was assumed."""
    if interval := metrics.get("interval"):
        inside = interval["coverage"]
        held = "" if inside is None else f", {inside:.1%} of the truth inside"
        yield (
            f"calibrated interval, level {interval['level']:g}: mean width {interval['width']:.3g}"
            f"{held}"
        )
    for sentence in metrics["warnings"]:
        yield f"[yellow]warning[/yellow]: {escape(sentence)}"
    if not metrics["warnings"]:
        exact = metrics.get("noise") == 0
        unit = "rounding errors (at most 1" if exact else "the noise (1"
        yield f"residual {metrics['residual']:.2f} times {unit} is expected)"
    for sentence in metrics["assumed"]:
        yield f"[dim]assumed[/dim]: {escape(sentence)}"


def _units(metrics: Mapping[str, Any]) -> Iterator[str]:
    """Lines on offset, scale, black and white, where they are not those of pictures."""
    if offset := metrics["offset"]:
        yield f"offset {offset:.4g}: which was subtracted from the image for the prior"
    if metrics["scale"] != 1:
        yield f"scale {metrics['scale']:.4g}: by which the measurement was divided for the prior"
    low, high = metrics["black_and_white"]
    if (low, high) != (0, 1):
        yield f"pictures show {low:.4g} black and {high:.4g} white"


def _places(folder: Path) -> Iterator[str]:
    first = folder / ("figure.png" if (folder / "figure.png").exists() else "arrays.npz")
    if (folder / REPORT).exists():
        yield f"[bold]{escape(str(folder / REPORT))}[/bold]  to look at in a browser"
    yield f"[bold]{escape(str(first))}[/bold]  and more in {escape(str(folder))}/"


def _images(task: Task, result: Result, window: Window) -> dict[str, Tensor]:
    """The pictures of a result by name, each (c, h, w) in [0, 1]; none of what is no image."""
    tensors = {"reconstruction": result.seen.mean[0]}
    if (truth := task.seen_truth) is not None:
        tensors["truth"] = truth[0]
    pictures = {name: picture(window(t)) for name, t in tensors.items() if t.ndim > 1}
    measured = measurement_picture(task.in_units, window)
    return pictures if measured is None else {"measurement": measured, **pictures}


def _map(
    metrics: Mapping[str, Any], deviation: Tensor | None, interval: Interval | None
) -> dict[str, Any]:
    """The last picture of the figure: the width of a calibrated interval, or else the spread."""
    if interval is None:
        return {"deviation": deviation}
    title = f"width of the {metrics['interval']['level']:.0%} interval"
    return {"deviation": _by_pixel(interval.width[0].cpu()), "measure": title}


def _by_pixel(spread: Tensor) -> Tensor:
    """Standard deviations, (\\*any, h, w), averaged to one a pixel: (1, h, w)."""
    spread = middle_slice(spread)
    return spread.reshape(-1, *spread.shape[-2:]).mean(dim=0, keepdim=True)


def _captions(task: Task, metrics: Mapping[str, Any]) -> dict[str, str]:
    """Quality in words, under the titles of the figure; nothing where no truth is known."""
    y, truth = task.problem.y, task.seen_truth
    compared = truth is not None and y.shape == truth.shape and not y.is_complex()
    captions = {}
    for title, suffix, start in (
        ("measurement", "_measurement", "" if compared else "as an image: "),
        ("reconstruction", "", ""),
    ):
        ratio, similarity = metrics[f"psnr{suffix}"], metrics[f"ssim{suffix}"]
        if ratio is not None:
            end = "" if similarity is None else f"  ·  SSIM {similarity:.3f}"
            captions[title] = f"{start}{ratio:.2f} dB{end}"
    return captions


def _scores(
    score: str, of: Score, compared: Mapping[str, Tensor], truth: Tensor, peak: float
) -> dict[str, float | None]:
    """The mean of a ``score`` over the images (n, \\*shape) of each name; small ones at once."""
    parts = [[name] for name in compared]
    if sum(images.numel() for images in compared.values()) <= AT_ONCE:
        parts = [list(compared)]
    numbers: dict[str, float | None] = {}
    for names in parts:
        images = torch.cat([compared[name] for name in names])
        values = of(images, truth.expand_as(images), peak)
        each = torch.split(values, [len(compared[name]) for name in names])
        numbers |= {
            f"{score}{name}": saving.finite(part.mean())
            for name, part in zip(names, each, strict=True)
        }
    return numbers
