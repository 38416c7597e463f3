"""A photograph from the Bayer mosaic in a raw file.

A DNG with black and white level and the colours of its filters, with read and photon noise.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tifffile
from scenes import colour
from scipy.ndimage import convolve

BASELINE = "Malvar, He and Cutler 2004 (bilinear is below)"
COMMAND = (
    "reconstruct --op mosaic --prior photos --measurement {folder}/photo.dng "
    '--noise "poisson-gaussian(photons=4000, sigma=0.008)"'
)
SIZE, BLACK, WHITE = 64, 512, 16383
PHOTONS, READ = 4000, 0.008

TAGS = [
    (33421, "H", 2, (2, 2), True),  # CFARepeatPatternDim
    (33422, "B", 4, (0, 1, 1, 2), True),  # CFAPattern: R G over G B
    (50706, "B", 4, (1, 4, 0, 0), True),  # DNGVersion
    (50707, "B", 4, (1, 1, 0, 0), True),  # DNGBackwardVersion
    (50708, "s", 0, "invscore gallery", True),  # UniqueCameraModel
    (50714, "I", 1, BLACK, True),  # BlackLevel
    (50717, "I", 1, WHITE, True),  # WhiteLevel
    (50721, "2i", 9, (1, 1, 0, 1, 0, 1, 0, 1, 1, 1, 0, 1, 0, 1, 0, 1, 1, 1), True),  # ColorMatrix1
]


def pattern() -> np.ndarray:
    """Which colour each pixel sees: (3, h, w) of zeros and ones."""
    seen = np.zeros((3, SIZE, SIZE))
    seen[0, ::2, ::2] = seen[2, 1::2, 1::2] = seen[1, ::2, 1::2] = seen[1, 1::2, ::2] = 1
    return seen


def measure(folder: Path) -> np.ndarray:
    """``photo.dng``; the photograph in [0, 1]."""
    rng = np.random.default_rng(0)
    image = colour("astronaut", SIZE)
    light = (pattern() * image).sum(axis=0)
    light = rng.poisson(PHOTONS * light) / PHOTONS + READ * rng.standard_normal(light.shape)
    counts = (BLACK + (WHITE - BLACK) * light).round().clip(0, 65535).astype(np.uint16)
    tifffile.imwrite(folder / "photo.dng", counts, photometric=32803, extratags=TAGS, metadata=None)
    return image.astype(np.float32)


def baseline(folder: Path) -> np.ndarray:
    """Bilinear interpolation, corrected by the gradient of the colour that was measured."""
    counts = tifffile.imread(folder / "photo.dng").astype(float)
    return malvar((counts - BLACK) / (WHITE - BLACK)).astype(np.float32)


def malvar(mosaic: np.ndarray) -> np.ndarray:
    """The filters of Fig. 2 of the paper, in eighths."""
    cross = np.zeros((5, 5))
    cross[2, 2], cross[0, 2], cross[4, 2], cross[2, 0], cross[2, 4] = 4, -1, -1, -1, -1
    green = cross.copy()
    green[1, 2] = green[3, 2] = green[2, 1] = green[2, 3] = 2
    beside = np.zeros((5, 5))  # of its own colour to the left and right
    beside[2] = [-1, 4, 5, 4, -1]
    beside[1] = beside[3] = [0, -1, 0, -1, 0]
    beside[0, 2] = beside[4, 2] = 0.5
    across = np.zeros((5, 5))
    across[2, 2] = 6
    across[1, 1] = across[1, 3] = across[3, 1] = across[3, 3] = 2
    across[0, 2] = across[4, 2] = across[2, 0] = across[2, 4] = -1.5
    at = {
        name: convolve(mosaic, kernel / 8, mode="mirror")
        for name, kernel in (
            *(("green", green), ("beside", beside)),
            *(("above", beside.T), ("across", across)),
        )
    }
    red, green_seen, blue = pattern().astype(bool)
    in_red_row = np.arange(SIZE)[:, None] % 2 == 0
    found = np.empty((3, SIZE, SIZE))
    found[1] = np.where(green_seen, mosaic, at["green"])
    for own, other, row in ((red, blue, in_red_row), (blue, red, ~in_red_row)):
        near = np.where(row, at["beside"], at["above"])
        found[0 if own is red else 2] = np.where(own, mosaic, np.where(other, at["across"], near))
    return found


def bilinear(folder: Path) -> np.ndarray:
    """The plainest of all: means of the nearest pixels of each colour."""
    counts = tifffile.imread(folder / "photo.dng").astype(float)
    light, seen = (counts - BLACK) / (WHITE - BLACK), pattern()
    kernel = np.array([[1, 2, 1], [2, 4, 2], [1, 2, 1]]) / 4.0
    weights = [convolve(mask, kernel, mode="mirror") for mask in seen]
    parts = [convolve(mask * light, kernel, mode="mirror") for mask in seen]
    return np.stack([p / w for p, w in zip(parts, weights, strict=True)]).astype(np.float32)
