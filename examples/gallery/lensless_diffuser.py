"""A scene through a diffuser instead of a lens, from a picture of a point and one of the scene.

The caustics of the diffuser fill the sensor, 16-bit PNG; the sensor sees the middle of what the
scene makes of them.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from scenes import gray
from scipy.ndimage import gaussian_filter

from invscore.operators import Lensless

BASELINE = "Tikhonov, best of seven weights"
COMMAND = (
    'reconstruct --op "lensless(kernel={folder}/psf.png)" --prior photos-gray '
    "--measurement {folder}/raw.npy --shape 1,64,64 --noise 0.001"
)
SIZE, SENSOR, NOISE = 64, (96, 112), 0.001


def caustics() -> np.ndarray:
    """Bright lines where a smooth random surface focuses light, (96, 112), most of it 0."""
    rng = np.random.default_rng(1)
    height = gaussian_filter(rng.standard_normal(SENSOR), 5)
    bright = np.exp(-((height / height.std() / 0.12) ** 2))
    return np.where(bright > 0.05, bright, 0.0)


def operator(folder: Path) -> Lensless:
    point = np.asarray(Image.open(folder / "psf.png"), dtype=float)
    return Lensless(torch.from_numpy(point / point.sum()), (1, SIZE, SIZE))


def measure(folder: Path) -> np.ndarray:
    """``psf.png`` and ``raw.npy``; the scene, (1, h, w)."""
    point = np.round(65535 * caustics() / caustics().max()).astype(np.uint16)
    Image.fromarray(point).save(folder / "psf.png")
    scene = gray("camera", SIZE)[None].astype(np.float32)
    clean = operator(folder)(torch.from_numpy(scene)[None])[0, 0].numpy()
    seen = clean + NOISE * np.random.default_rng(0).standard_normal(clean.shape)
    np.save(folder / "raw.npy", seen.astype(np.float32))
    return scene


def baseline(folder: Path) -> np.ndarray:
    """``(A^T A + w I)^-1 A^T y`` by conjugate gradients."""
    y = torch.from_numpy(np.load(folder / "raw.npy"))[None, None]
    model, truth = operator(folder), gray("camera", SIZE)
    found = [model.solve(model.rmatvec(y), w)[0].numpy() for w in 10.0 ** -np.arange(1, 8)]
    return min(found, key=lambda image: float(((image - truth) ** 2).sum()))
