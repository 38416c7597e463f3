"""How well a prior denoises the held-out photographs, beside BM3D."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from invscore.images import crop_and_shrink, load_image, to_gray
from invscore.metrics import psnr
from invscore.priors.base import Prior

HELD_OUT = ("astronaut", "camera", "chelsea", "coffee", "coins", "motorcycle_left", "rocket")
"""Photographs of scikit-image that no prior of ours was trained or tuned on."""
LEVELS = (15, 25, 50)
"""Noise levels on the scale of 255."""
SIZE = 256


@torch.no_grad()
def run(
    prior: Prior,
    *,
    images: Sequence[str] = HELD_OUT,
    size: int = SIZE,
    on_row: Callable[[dict[str, Any]], None] = lambda row: None,
) -> list[dict[str, Any]]:
    """PSNR in dB of the prior's denoiser and of BM3D on the same noisy image, row by row.

    Images are gray, their shorter side shrunk to ``size`` and cropped; the noise of each (image,
    level) has a seed of its own. A row has ``image``, ``sigma`` (of 255), ``psnr``, ``psnr_bm3d``.
    Raises ``ValueError`` where the package ``bm3d`` is not installed.
    """
    try:
        from bm3d import bm3d
    except ImportError as error:
        raise ValueError(
            "the comparison needs the package bm3d: pip install 'invscore[bench]'"
        ) from error
    rows = []
    for number, name in enumerate(images):
        clean = to_gray(crop_and_shrink(load_image(name), size))[None]
        for level in LEVELS:
            random = np.random.default_rng([number, level])
            noise = torch.from_numpy(random.standard_normal(clean.shape, dtype=np.float32))
            noisy = clean + level / 255 * noise
            rival = torch.from_numpy(bm3d(noisy[0, 0].numpy(), level / 255)).float()[None, None]
            row = {
                "image": name,
                "sigma": level,
                "psnr": psnr(prior.denoise(noisy, level / 255), clean).item(),
                "psnr_bm3d": psnr(rival, clean).item(),
            }
            rows.append(row)
            on_row(row)
    return rows


def means(rows: Sequence[dict[str, Any]]) -> list[dict[str, float]]:
    """The mean over images for each noise level: ``sigma``, ``psnr``, ``psnr_bm3d``, ``gain``."""
    table = []
    for level in sorted({row["sigma"] for row in rows}):
        chosen = [row for row in rows if row["sigma"] == level]
        ours = float(np.mean([row["psnr"] for row in chosen]))
        rival = float(np.mean([row["psnr_bm3d"] for row in chosen]))
        table.append({"sigma": level, "psnr": ours, "psnr_bm3d": rival, "gain": ours - rival})
    return table
