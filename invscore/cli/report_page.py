"""HTML page of one reconstruction, ``report.html``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from invscore.figures import middle_slice
from invscore.result import Result
from invscore.tasks.pictures import Window, measurement_picture, window_of
from invscore.tasks.task import Task, backprojection
from invscore.viewer import Entry, write_page

REPORT = "report.html"
FIGURES = (
    "psnr",
    "ssim",
    "psnr_sample",
    "ssim_sample",
    "psnr_measurement",
    "ssim_measurement",
    "discrepancy",
    "residual",
    "evaluations",
    "seconds",
)
"""Metrics that the page shows as figures; the others tell how the result was made."""


def write_report(file: Path, task: Task, result: Result, metrics: Mapping[str, Any]) -> None:
    """Write the page of a result with all of its samples."""
    interval = metrics.get("interval") or {}
    source = str(metrics.get("image", metrics.get("measurement")))
    entry = Entry(
        task=metrics["op"],
        image=source,
        method=result.method,
        pictures=_pictures(task, result),
        samples=_samples(result),
        figures={
            **{name: metrics[name] for name in FIGURES if metrics.get(name) is not None},
            **{f"interval_{name}": interval[name] for name in interval if name != "calibrated"},
        },
        options=dict(result.options),
        seed=result.seed if isinstance(result.seed, int) else result.seed[0],
    )
    noise = metrics["noise"]
    facts = {
        "prior": str(metrics["prior"]),
        "noise": format(noise, "g") if isinstance(noise, float) else str(noise),
        "samples": str(len(result.samples)),
        "device": str(metrics["device"]),
        "versions": ", ".join(f"{name} {number}" for name, number in metrics["versions"].items()),
        **({"assumed": "; ".join(task.assumed)} if task.assumed else {}),
        **({"warnings": " ".join(result.warnings)} if result.warnings else {}),
    }
    title = f"Reconstruction of {Path(source).name}"
    write_page(file, [entry], title=title, facts=facts, samples=len(result.samples))


def _pictures(task: Task, result: Result) -> dict[str, Tensor]:
    """The measurement, or a plain image made of it, and what is known of the image; no vector."""
    tensors = {"measurement": _measurement(task, result), "reconstruction": result.mean[0]}
    if (truth := task.seen_truth) is not None:
        tensors["truth"] = truth[0]
    if len(result.samples) > 1:
        tensors["uncertainty"] = result.std[0]
    found = {name: t for name, t in tensors.items() if t is not None and t.ndim > 1}
    return {name: _shown(tensor[None])[0] for name, tensor in found.items()}


def _samples(result: Result) -> Tensor | None:
    several = len(result.samples) > 1 and result.mean.ndim > 2
    return _shown(result.samples[:, 0]) if several else None


def shown(task: Task, result: Result) -> Window:
    """The values that are black and white in the pictures of a result."""
    truth = task.seen_truth
    if truth is not None:
        return window_of(truth, task.peak)
    return window_of(result.seen.mean, scale_of(result))


def scale_of(result: Result) -> float:
    """The factor of the first image, which is the only one."""
    return float(torch.as_tensor(result.scale).flatten()[0])


def _measurement(task: Task, result: Result) -> Tensor | None:
    """The measurement as a picture in units of the image."""
    problem = task.in_units
    is_image = problem.operator.view == "image" and not problem.y.is_complex()
    if not (is_image and problem.y.ndim == 4) and (plain := backprojection(problem)) is not None:
        return plain[0]
    window = shown(task, result)
    picture = measurement_picture(problem, window)
    return None if picture is None else window.low + (window.high - window.low) * picture


def _shown(images: Tensor) -> Tensor:
    """Images (n, \\*any, h, w) as real ones (n, c, h, w), c 1 or 3: other channels are combined.

    Of volumes (n, c, d, h, w), the middle slice.
    """
    images = torch.stack([middle_slice(image) for image in images])
    stacked = images[:, None] if images.ndim == 3 else images.flatten(1, -3)
    real = stacked.abs() if stacked.is_complex() else stacked
    if real.shape[1] in (1, 3):
        return real
    return real.square().sum(dim=1, keepdim=True).sqrt()
