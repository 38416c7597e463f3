"""How a job of the gallery is run, and what is said of it.

A job is a module of this folder with

- a docstring whose first line is what is done,
- ``BASELINE``, the name of the field's plain method,
- ``measure(folder)``, which writes the files of the instrument to a folder and returns the truth,
- ``baseline(folder)``, the image that the plain method makes of these files,
- ``COMMAND``, the words after ``invscore`` that restore it, ``{folder}`` in front of files, or
  ``restore(folder)``, a few lines of Python that return a ``Result``.

Images are (c, h, w), or (c, d, h, w) for volumes, in the units of the files.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from matplotlib import pyplot
from torch import Tensor

from invscore.cli.main import app
from invscore.metrics import psnr
from invscore.uncertainty import credible_interval

HERE = Path(__file__).parent
LEVEL = 0.9


@dataclass(frozen=True)
class Outcome:
    """What a job has come to: the images, and the samples behind the mean, (n, \\*shape)."""

    title: str
    baseline_name: str
    truth: Tensor
    baseline: Tensor
    samples: Tensor
    paired: bool
    tails: float
    seconds: float

    @property
    def mean(self) -> Tensor:
        return self.samples.mean(dim=0)

    def decibels(self, image: Tensor) -> float:
        """The PSNR of an image, the truth's largest magnitude being the peak."""
        return float(psnr(image[None], self.truth[None], float(self.truth.abs().max())))

    @property
    def margin(self) -> float:
        """Decibels by which the mean is better than the baseline."""
        return self.decibels(self.mean) - self.decibels(self.baseline)

    @property
    def coverage(self) -> float:
        """The share of the truth that is within its 90 % interval."""
        interval = credible_interval(
            self.samples[:, None], LEVEL, paired=self.paired, tails=self.tails
        )
        return float(interval.contains(self.truth).double().mean())

    def row(self) -> str:
        """Of the table that the gallery prints."""
        ours, plain = self.decibels(self.mean), self.decibels(self.baseline)
        cells = (
            *(self.title, self.baseline_name, f"{plain:.1f}", f"{ours:.1f}"),
            *(f"{self.margin:+.1f}", f"{self.coverage:.0%}", f"{self.seconds:.0f} s"),
        )
        return f"| {' | '.join(cells)} |"


def jobs() -> list[str]:
    """The names of all jobs."""
    others = {"__main__", "heads", "running", "scenes"}
    return sorted(file.stem for file in HERE.glob("*.py") if file.stem not in others)


def run(name: str, folder: Path) -> Outcome:
    """Make the files of the job in ``folder``, restore them, and compare."""
    job = importlib.import_module(name)
    truth = torch.as_tensor(job.measure(folder))
    began = time.monotonic()
    if hasattr(job, "restore"):
        result = job.restore(folder)
        samples, paired, tails = result.seen.samples[:, 0], result.paired, result.tails
    else:
        samples, paired, tails = by_command(job.COMMAND, folder)
    return Outcome(
        title=(job.__doc__ or name).splitlines()[0].rstrip("."),
        baseline_name=job.BASELINE,
        truth=truth,
        baseline=torch.as_tensor(job.baseline(folder)),
        samples=samples,
        paired=paired,
        tails=tails,
        seconds=time.monotonic() - began,
    )


def by_command(command: str, folder: Path) -> tuple[Tensor, bool, float]:
    """The samples that the command line leaves, whether in pairs, and the law of their errors."""
    out = folder / "results"
    words = [word.replace("{folder}", str(folder)) for word in split(command)]
    with contextlib.redirect_stdout(io.StringIO()):
        status = app(["--quiet", *words, "--out", str(out)], standalone_mode=False)
    if status:
        raise RuntimeError(f"invscore {command} ended with the status {status}")
    told = json.loads((out / "metrics.json").read_text(encoding="utf-8"))
    with np.load(out / "arrays.npz") as arrays:
        samples = torch.from_numpy(arrays["samples"])
    return samples, bool(told["paired"]), told["tails"]


def split(command: str) -> list[str]:
    """The words of a command line: those in double quotes are one."""
    parts = command.split('"')
    return [
        word for place, part in enumerate(parts) for word in ([part] if place % 2 else part.split())
    ]


def save_pictures(outcome: Outcome, file: Path) -> None:
    """Baseline, mean and truth side by side, and the spread."""
    truth, spread = outcome.truth, outcome.samples.std(dim=0)
    plain = outcome.baseline_name.partition(",")[0]
    images = {
        plain: outcome.baseline,
        "invscore": outcome.mean,
        "truth": truth,
        "standard deviation": spread,
    }
    figure, axes = pyplot.subplots(1, len(images), figsize=(3 * len(images), 3.3))
    low, high = (float(shown(truth).min()), float(shown(truth).max()))
    for axis, (name, image) in zip(axes, images.items(), strict=True):
        last = name == "standard deviation"
        limits = {} if last else {"vmin": low, "vmax": high}
        pixels = shown(image).mean(axis=-1) if last and shown(image).ndim == 3 else shown(image)
        if pixels.ndim == 3:  # colours are shown from black to the truth's white
            pixels, limits = np.clip((pixels - low) / (high - low), 0, 1), {}
        axis.imshow(pixels, cmap="magma" if last else "gray", **limits)
        level = "" if last or name == "truth" else f", {outcome.decibels(image):.1f} dB"
        axis.set_title(name + level, fontsize=9)
        axis.axis("off")
    figure.tight_layout(pad=0.3)
    figure.savefig(file, dpi=80)
    pyplot.close(figure)


def shown(image: Tensor) -> np.ndarray:
    """(h, w) or (h, w, 3): magnitudes, the middle of a volume, three of many channels."""
    real = image.abs() if image.is_complex() else image
    if real.ndim == 4:
        real = real[:, real.shape[1] // 2]
    if len(real) == 1:
        return real[0].numpy()
    bands = np.linspace(0, len(real) - 1, 3).round().astype(int)
    return real[bands].movedim(0, -1).numpy()
