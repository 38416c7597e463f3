"""Figures of a restored image, and the pictures that are kept of it."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from invscore import metrics
from invscore.metrics.perceptual import SMALLEST
from invscore.tasks.pictures import Window, measurement_picture
from invscore.tasks.task import Task, backprojection
from invscore.uncertainty import credible_interval
from invscore.uncertainty.intervals import relative_error
from invscore.uncertainty.measured import measured_pixels
from invscore.uncertainty.moderated import moderated

LEVEL = 0.9
"""Probability of the credible intervals whose coverage is reported."""
KEPT = 4
"""Number of samples whose pictures are kept."""
QUANTILES = 2001
"""Number of quantiles that stand for the relative errors of an image's pixels."""


def measure(
    task: Task,
    samples: Tensor,
    *,
    point_estimate: bool,
    paired: bool = False,
    tails: float = 0.0,
) -> dict[str, float | None]:
    """Quality of ``samples``, (n, 1, \\*shape), whose mean is the reconstruction.

    ``psnr`` in dB, ``ssim`` and ``lpips`` of the mean, and ``psnr_sample`` and so on, their
    averages over single samples; ``coverage90`` and ``width90`` of the 90 % interval by the law of
    errors of ``tails`` (``Result``), in image units, and ``crps``. ``None`` is what cannot be told:
    of a point estimate all but the first three, of a single sample the intervals, of small images
    SSIM and LPIPS, LPIPS without its weights, and PSNR that is infinite.
    """
    truth = _truth(task)
    figures: dict[str, float | None] = dict.fromkeys(FIGURES)
    figures |= _similarity(samples.mean(dim=0), truth, task.peak)
    if point_estimate:
        return figures
    singly = [_similarity(sample, truth, task.peak) for sample in samples]
    figures |= {f"{name}_sample": _average([one[name] for one in singly]) for name in singly[0]}
    if len(samples) > 1:
        measured = measured_pixels(task.problem)
        interval = credible_interval(samples, LEVEL, paired=paired, tails=tails, measured=measured)
        figures |= {
            "coverage90": metrics.coverage(interval, truth).item(),
            "width90": metrics.width(interval).item(),
            "crps": metrics.crps(samples, truth, paired=paired).item(),
        }
    return figures


SIMILARITIES = ("psnr", "ssim", "lpips")
FIGURES = (
    *SIMILARITIES,
    *(f"{name}_sample" for name in SIMILARITIES),
    *("coverage90", "width90", "crps"),
)


def pictures(
    task: Task, samples: Tensor, *, point_estimate: bool, paired: bool = False
) -> dict[str, Tensor]:
    """What the page shows: (c, h, w) on the CPU, in image units, complex images by magnitude.

    The measurement is shown as a plain image made of it where there is one. With several samples
    also ``uncertainty``, their standard deviation, ``samples``, the first few, and ``errors``:
    evenly spaced quantiles of the pixels' errors over half the widths of their intervals, which
    tell how many pixels intervals hold that are made wider or narrower.
    """
    truth, peak = _truth(task), task.peak
    plain = backprojection(task.problem)
    if plain is None:
        shown = measurement_picture(task.problem, Window(high=peak))
        plain = None if shown is None else peak * shown[None]
    found = {"reconstruction": samples.mean(dim=0), "truth": truth}
    if plain is not None:
        found["measurement"] = plain
    kept = {name: _magnitude(image[0]) for name, image in found.items()}
    if point_estimate or len(samples) == 1:
        return kept
    measured = measured_pixels(task.problem)
    told = moderated(samples, paired=paired, measured=measured).variance
    deviation = told.sum(dim=-1) if samples.is_complex() else told
    errors = relative_error(samples, truth, LEVEL, paired=paired, measured=measured)
    errors = errors.flatten().float().sort().values
    places = torch.linspace(0, len(errors) - 1, QUANTILES).round().long()
    return {
        **kept,
        "uncertainty": _magnitude(deviation[0].sqrt()),
        "samples": _magnitude(samples[:KEPT, 0]),
        "errors": errors.cpu()[places],
    }


def held(errors: Tensor, factor: float) -> float:
    """The fraction of pixels in intervals ``factor`` times as wide, from quantiles ``errors``."""
    return float((errors <= factor).cpu().double().mean())


def _similarity(image: Tensor, truth: Tensor, peak: float) -> dict[str, float | None]:
    """SSIM of one image, (1, \\*shape)."""
    side = min(image.shape[-2:]) if image.ndim == 4 else 0
    perceptual = metrics.lpips(image, truth, peak) if side >= SMALLEST else None
    similar = metrics.ssim(image, truth, peak) if side >= metrics.SSIM_WINDOW else None
    ratio = metrics.psnr(image, truth, peak).item()
    return {
        "psnr": ratio if math.isfinite(ratio) else None,
        "ssim": None if similar is None else similar.item(),
        "lpips": None if perceptual is None else perceptual.item(),
    }


def _average(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _truth(task: Task) -> Tensor:
    assert task.truth is not None  # measurements are simulated here
    return task.truth


def _magnitude(image: Tensor) -> Tensor:
    real = image.abs() if image.is_complex() else image
    return real.detach().cpu().half().contiguous()
