"""A photograph blurred by a motion that nobody knows, in an 8-bit PNG.

Length and angle of the motion and the noise are found in the picture.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image
from scenes import gray
from scipy.signal import fftconvolve
from skimage.restoration import wiener

from invscore.operators.kernels import gaussian_kernel, motion_kernel

BASELINE = "Wiener's filter of a guessed Gaussian, best of 25"
COMMAND = "reconstruct --op blind-deblur --prior photos-gray --measurement {folder}/seen.png"
SIZE, MARGIN = 88, 12


def scene() -> np.ndarray:
    """The photograph, and what lies beyond its border."""
    return gray("coins", SIZE + 2 * MARGIN)


def measure(folder: Path) -> np.ndarray:
    """``seen.png``; the photograph, (1, h, w)."""
    kernel = motion_kernel(9.0, 35.0).numpy()
    seen = fftconvolve(scene(), kernel, mode="same")[MARGIN:-MARGIN, MARGIN:-MARGIN]
    seen = seen + 0.01 * np.random.default_rng(0).standard_normal(seen.shape)
    Image.fromarray((255 * seen).round().clip(0, 255).astype(np.uint8)).save(folder / "seen.png")
    return scene()[None, MARGIN:-MARGIN, MARGIN:-MARGIN].astype(np.float32)


def baseline(folder: Path) -> np.ndarray:
    """Of five widths and five strengths."""
    seen = np.asarray(Image.open(folder / "seen.png")) / 255.0
    padded = np.pad(seen, MARGIN, mode="reflect")
    truth = scene()[MARGIN:-MARGIN, MARGIN:-MARGIN]
    found = [
        wiener(padded, gaussian_kernel(sigma, 13).numpy(), balance, clip=False)
        for sigma in (0.8, 1.2, 1.6, 2.0, 2.5)
        for balance in (0.01, 0.03, 0.1, 0.3, 1.0)
    ]
    cut = [image[MARGIN:-MARGIN, MARGIN:-MARGIN] for image in found]
    best = min(cut, key=lambda image: float(((image - truth) ** 2).sum()))
    return best[None].astype(np.float32)
