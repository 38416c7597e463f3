"""An intensity image with the speckle of four looks, as radar and ultrasound make, in MAT.

Multiplicative noise: bright places are as uncertain, in proportion, as dark ones.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scenes import gray
from scipy.io import loadmat, savemat
from scipy.ndimage import uniform_filter

BASELINE = "Lee's filter, best of four windows"
COMMAND = (
    "reconstruct --op denoise --prior photos-gray --measurement {folder}/looks.mat --key intensity "
    '--noise "speckle(looks=4)"'
)
SIZE, LOOKS = 96, 4


def truth() -> np.ndarray:
    return (0.05 + 0.95 * gray("coins", SIZE)).astype(np.float32)


def measure(folder: Path) -> np.ndarray:
    """``looks.mat`` with ``intensity``; the scene, (1, h, w)."""
    speckle = np.random.default_rng(0).gamma(LOOKS, 1 / LOOKS, (SIZE, SIZE))
    savemat(folder / "looks.mat", {"intensity": (truth() * speckle).astype(np.float32)})
    return truth()[None]


def baseline(folder: Path) -> np.ndarray:
    """Lee 1980: local means, and what varies more than speckle does."""
    seen = loadmat(folder / "looks.mat")["intensity"].astype(float)
    found = []
    for window in (3, 5, 7, 9):
        mean = uniform_filter(seen, window)
        variance = np.maximum(uniform_filter(seen**2, window) - mean**2, 1e-12)
        scene = np.maximum((variance - mean**2 / LOOKS) / (1 + 1 / LOOKS), 0)
        found.append(mean + scene / (scene + mean**2 / LOOKS) * (seen - mean))
    best = min(found, key=lambda image: float(((image - truth()) ** 2).sum()))
    return best[None].astype(np.float32)
