"""Nine spectral bands from one exposure behind a 3 x 3 mosaic of filters, in a TIFF of counts.

The bands are smooth mixtures of a photograph's colours; a prior of gray photographs serves their
cosines over the bands.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tifffile
from scenes import colour
from scipy.ndimage import convolve

BASELINE = "bilinear interpolation of each band"
COMMAND = (
    'reconstruct --op "mosaic(pattern=[0, 1, 2, 3, 4, 5, 6, 7, 8])" --prior photos-gray '
    '--measurement {folder}/bands.tif --noise "poisson(photons=1)"'
)
SIZE, BANDS, PHOTONS = 48, 9, 1000.0


def spectrum() -> np.ndarray:
    """The scene in nine bands from blue to red, (9, h, w)."""
    image = colour("chelsea", SIZE)
    wavelength = np.linspace(0, 2, BANDS)[:, None]
    weights = np.exp(-((wavelength - np.array([2.0, 1.0, 0.0])) ** 2) / 0.5)
    return np.tensordot(weights / weights.sum(axis=1, keepdims=True), image, 1)


def filters() -> np.ndarray:
    """Which band each pixel sees, (9, h, w)."""
    row, column = np.indices((SIZE, SIZE)) % 3
    return (3 * row + column == np.arange(BANDS)[:, None, None]).astype(float)


def measure(folder: Path) -> np.ndarray:
    """``bands.tif``; the nine bands, in units of its white."""
    scene = spectrum()
    counts = np.random.default_rng(0).poisson(PHOTONS * (filters() * scene).sum(axis=0))
    tifffile.imwrite(folder / "bands.tif", counts.astype(np.float32))
    return (PHOTONS * scene).astype(np.float32)


def baseline(folder: Path) -> np.ndarray:
    """Triangles of three pixels' half width about each pixel of a band."""
    counts, seen = tifffile.imread(folder / "bands.tif"), filters()
    line = np.array([1, 2, 3, 2, 1]) / 3.0
    kernel = np.outer(line, line)
    weights = [convolve(mask, kernel, mode="constant") for mask in seen]
    parts = [convolve(mask * counts, kernel, mode="constant") for mask in seen]
    return np.stack([p / w for p, w in zip(parts, weights, strict=True)]).astype(np.float32)
