"""Denoising benchmark: a prior and BM3D on held-out images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from invscore.bench import bm3d, brain
from invscore.bench.held_out import HELD_OUT, IN_COLOUR, gray_photograph, photograph
from invscore.metrics import psnr
from invscore.priors.base import Prior


@dataclass(frozen=True)
class DenoisingTask:
    """Images by name, (c, h, w), noise levels as multiples of 1 / ``scale``, and who else tries."""

    images: tuple[str, ...]
    load: Callable[[str], Tensor]
    levels: tuple[float, ...]
    scale: int
    reference: bm3d.Reference

    def noise(self, level: float) -> str:
        """A level in words: ``15/255``."""
        return f"{level:g}" if self.scale == 1 else f"{level:g}/{self.scale}"


TASKS = {
    "gray": DenoisingTask(HELD_OUT, gray_photograph, (15, 25, 50), 255, bm3d.real),
    "colour": DenoisingTask(IN_COLOUR, photograph, (15, 25, 50), 255, bm3d.real),
    "brain": DenoisingTask(
        brain.NAMES, brain.brain_slice, (0.025, 0.05, 0.1), 1, bm3d.complex_valued
    ),
}
"""Gray photographs, those in colour, and complex slices of a brain compared by magnitude."""


@torch.no_grad()
def run(
    prior: Prior,
    task: DenoisingTask,
    *,
    limit: int | None = None,
    device: torch.device | str = "cpu",
    on_row: Callable[[dict[str, Any]], None] = lambda row: None,
) -> list[dict[str, Any]]:
    """PSNR in dB of the prior's denoiser and of BM3D on the same noisy image, row by row.

    The noise of each (image, level) has a seed of its own; complex noise has the level in the real
    and in the imaginary part. A row has ``image``, ``sigma`` (in units of 1 / ``task.scale``),
    ``psnr`` and ``psnr_bm3d``, the best of BM3D's tries; if there are several, each as well.
    ``limit``: the first few images only. Raises ``ValueError`` where a package is not installed.
    """
    bm3d.require_bm3d()
    rows = []
    for number, name in enumerate(task.images[:limit]):
        clean = task.load(name)[None]
        for level in task.levels:
            sigma = level / task.scale
            noisy = clean + sigma * _noise(clean, [number, round(255 * sigma)])
            reference = task.reference(noisy, sigma)
            tries = {key: psnr(image, clean).item() for key, image in reference.items()}
            row = {
                "image": name,
                "sigma": level,
                "psnr": psnr(prior.denoise(noisy.to(device), sigma).cpu(), clean).item(),
                "psnr_bm3d": max(tries.values()),
            }
            if len(tries) > 1:
                row |= {f"psnr_bm3d_{key}": value for key, value in tries.items()}
            rows.append(row)
            on_row(row)
    return rows


def means(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Means over images for each noise level: ``sigma``, ``psnr``, ``psnr_bm3d`` and ``gain``.

    Each with its standard error over images, ``psnr_se`` and so on; None for a single image. The
    gain is a difference on the same image: its error is much smaller than those of the two.
    """
    table: list[dict[str, Any]] = []
    for level in sorted({row["sigma"] for row in rows}):
        chosen = [row for row in rows if row["sigma"] == level]
        ours, reference = (np.array([row[key] for row in chosen]) for key in ("psnr", "psnr_bm3d"))
        entry = {"sigma": level}
        for key, values in {"psnr": ours, "psnr_bm3d": reference, "gain": ours - reference}.items():
            entry |= {key: float(values.mean()), f"{key}_se": _standard_error(values)}
        table.append(entry)
    return table


def _standard_error(values: npt.NDArray[np.float64]) -> float | None:
    return float(values.std(ddof=1) / len(values) ** 0.5) if len(values) > 1 else None


def _noise(clean: Tensor, key: Sequence[int]) -> Tensor:
    """Unit noise for the image ``clean``, in each part of a complex number."""
    random = np.random.default_rng(key)
    if not clean.is_complex():
        return torch.from_numpy(random.standard_normal(clean.shape, dtype=np.float32))
    parts = torch.from_numpy(random.standard_normal((*clean.shape, 2), dtype=np.float32))
    return torch.view_as_complex(parts)
