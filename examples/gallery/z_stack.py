"""A z-stack of a microscope with its point spread function, both in OME-TIFF.

Beads and filaments, blurred most along the axis, counts of photons; one volume in and one out.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tifffile
from scipy.ndimage import gaussian_filter
from scipy.signal import fftconvolve
from skimage.restoration import richardson_lucy

BASELINE = "Richardson-Lucy in 3-D, best of 1 to 40 iterations"
COMMAND = (
    'reconstruct --op "blur(kernel={folder}/psf.ome.tif)" --prior photos-gray '
    '--measurement {folder}/stack.ome.tif --volume z --noise "poisson(photons=1)"'
)
SEEN, MARGIN, PHOTONS = (10, 32, 32), (3, 4, 4), 200.0


def psf() -> np.ndarray:
    """(7, 9, 9): wider away from the focal plane."""
    z, y, x = (np.arange(2 * m + 1.0) - m for m in MARGIN)
    width = 1.0 + 0.25 * z**2
    spread = np.exp(-(y[:, None] ** 2 + x**2) / (2 * width[:, None, None])) / width[:, None, None]
    return spread / spread.sum()


def specimen() -> np.ndarray:
    """Beads and bent filaments of uneven brightness in [0, 1], the margin included."""
    rng = np.random.default_rng(3)
    shape = tuple(n + 2 * m for n, m in zip(SEEN, MARGIN, strict=True))
    places = np.stack(np.indices(shape), axis=-1).astype(float)
    volume = np.zeros(shape)
    for _ in range(14):
        centre, radius = rng.uniform(0, shape), rng.uniform(1.5, 4.5)
        inside = ((places - centre) ** 2).sum(axis=-1) < radius**2
        volume = np.maximum(volume, rng.uniform(0.3, 0.9) * inside)
    for _ in range(6):
        start, end = rng.uniform(0, shape), rng.uniform(0, shape)
        for t in np.linspace(0, 1, 80):
            z, y, x = start + t * (end - start) + 2 * np.sin(6 * t)
            if 0 <= z < shape[0] and 0 <= y < shape[1] and 0 <= x < shape[2]:
                volume[int(z), int(y), int(x)] = 0.95
    return 0.05 + 0.9 * gaussian_filter(volume, 0.5)


def measure(folder: Path) -> np.ndarray:
    """``stack.ome.tif`` and ``psf.ome.tif``; the specimen, in counts."""
    scene = PHOTONS * specimen()
    seen = fftconvolve(scene, psf(), mode="valid").clip(0)
    counts = np.random.default_rng(0).poisson(seen).astype(np.float32)
    voxel = {"axes": "ZYX", "PhysicalSizeX": 0.1, "PhysicalSizeY": 0.1, "PhysicalSizeZ": 0.3}
    tifffile.imwrite(folder / "stack.ome.tif", counts, ome=True, metadata=voxel)
    kernel = psf().astype(np.float32)
    tifffile.imwrite(folder / "psf.ome.tif", kernel, ome=True, metadata={"axes": "ZYX"})
    inside = tuple(slice(m, n + m) for n, m in zip(SEEN, MARGIN, strict=True))
    return scene[None][(slice(None), *inside)].astype(np.float32)


def baseline(folder: Path) -> np.ndarray:
    """Of the mirrored stack, stopped where it is best."""
    counts = tifffile.imread(folder / "stack.ome.tif").astype(float)
    padded = np.pad(counts, [(m, m) for m in MARGIN], mode="reflect") / PHOTONS
    inside = tuple(slice(m, n + m) for n, m in zip(SEEN, MARGIN, strict=True))
    truth = PHOTONS * specimen()[inside]
    found = [
        PHOTONS * richardson_lucy(padded, psf(), n, clip=False)[inside] for n in range(1, 41, 3)
    ]
    best = min(found, key=lambda image: float(((image - truth) ** 2).sum()))
    return best[None].astype(np.float32)
