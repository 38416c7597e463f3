"""Fetch the brain volume that `brain-mri` learns from: python configs/train/brain.py data/brain

Downloads the Debian package `mricron-data` (`apt-get download`, no installation, 12 MB) and keeps
its two versions of Colin27, one head scanned 27 times: with the skull at 1 mm and without it at
0.5 mm. Needs a Debian or Ubuntu system with apt-get and dpkg. Author and licence: brain.md.

`slices` is what the training configuration calls for its data.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

import nibabel
import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter

PACKAGE = "mricron-data"
TEMPLATES = Path("usr/share/mricron/templates")
VOLUMES = {"ch2.nii.gz": (0.8, 1.4), "ch2better.nii.gz": (1.4, 2.6)}  # voxels a pixel
LARGEST_ANGLE = 20.0  # degrees
LARGEST_BLUR = 1.2  # pixels, standard deviation
BAND = 6  # neighbouring slices that share a split
EMPTY = 0.05  # a voxel below this is no part of the head


def fetch(folder: Path) -> None:
    """Put the volumes into ``folder``."""
    with tempfile.TemporaryDirectory() as temporary:
        subprocess.run(["apt-get", "download", PACKAGE], cwd=temporary, check=True)
        (package,) = Path(temporary).glob("*.deb")
        subprocess.run(["dpkg", "-x", package, temporary], check=True)
        folder.mkdir(parents=True, exist_ok=True)
        for name in VOLUMES:
            (folder / name).write_bytes((Path(temporary) / TEMPLATES / name).read_bytes())


def slices(
    count: int, random: np.random.Generator, split: str, *, folder: str, crop: int
) -> np.ndarray:
    """Complex crops (count, 1, crop, crop) of axial, coronal and sagittal slices, of peak 1.

    Each is rotated, scaled and flipped at random, half of them blurred as by a coarser scanner,
    the contrast changed by a power, and multiplied by a random smooth phase. Of every eight bands
    of slices one is for validation: it shows the progress of training, but not how the prior does
    on another head.
    """
    return np.stack([_one(random, split, Path(folder), crop) for _ in range(count)])[:, None]


def smooth_phase(random: np.random.Generator, height: int, width: int) -> np.ndarray:
    """A phase (height, width) in radians: a constant, a slope and a field of a few bumps."""
    offset, down, right = random.uniform(-np.pi, np.pi, 3)
    y, x = np.meshgrid(np.linspace(-1, 1, height), np.linspace(-1, 1, width), indexing="ij")
    bumps = random.normal(size=(4, 4)).astype(np.float32) * random.uniform(0, 1.5)
    field = Image.fromarray(bumps).resize((width, height), Image.Resampling.BICUBIC)
    return offset + 0.5 * (down * y + right * x) + np.asarray(field)


def _one(random: np.random.Generator, split: str, folder: Path, crop: int) -> np.ndarray:
    name = list(VOLUMES)[random.integers(len(VOLUMES))]
    volume = _volume(folder / name)
    axis, voxel = _place(volume, random, split)
    plane = np.moveaxis(volume, axis, 0)[voxel.pop(axis)]
    magnitude = _crop(plane, voxel, random, crop, random.uniform(*VOLUMES[name]))
    if random.integers(2):
        magnitude = gaussian_filter(magnitude, random.uniform(0, LARGEST_BLUR))
    magnitude = magnitude.clip(0) ** np.exp(random.uniform(-0.3, 0.3)) * random.uniform(0.8, 1.05)
    if random.integers(2):
        magnitude = magnitude[:, ::-1]
    return (magnitude * np.exp(1j * smooth_phase(random, crop, crop))).astype(np.complex64)


def _place(volume: np.ndarray, random: np.random.Generator, split: str) -> tuple[int, list[int]]:
    """The axis across a slice of ``split``, and a voxel of the head in that slice."""
    while True:
        axis = int(random.integers(3))
        voxel = [int(random.integers(size)) for size in volume.shape]
        validation = voxel[axis] // BAND % 8 == 0
        if volume[tuple(voxel)] > EMPTY and validation == (split == "val"):
            return axis, voxel


def _crop(
    plane: np.ndarray, voxel: list[int], random: np.random.Generator, crop: int, scale: float
) -> np.ndarray:
    """A square around ``voxel``, not always in its middle, turned and shrunk by ``scale``."""
    window = scale * crop
    reach = 0.75 * window  # so that the turned square has no empty corners
    row, column = (at + random.uniform(-0.4, 0.4) * window for at in voxel)
    box = (int(column - reach), int(row - reach), int(column + reach), int(row + reach))
    angle = random.uniform(-LARGEST_ANGLE, LARGEST_ANGLE) + 90 * random.integers(4)
    turned = (
        Image.fromarray(np.ascontiguousarray(plane))
        .crop(box)
        .rotate(angle, Image.Resampling.BICUBIC)
    )
    margin = (turned.width - window) / 2
    inner = (margin, margin, turned.width - margin, turned.width - margin)
    return np.asarray(turned.resize((crop, crop), Image.Resampling.LANCZOS, box=inner))


@cache
def _volume(file: Path) -> np.ndarray:
    """The volume as float32, its brightest tissue (the 99.5th percentile above 0) at 1."""
    values = np.asarray(nibabel.load(file).dataobj, dtype=np.float32)  # type: ignore[attr-defined]
    return values / np.percentile(values[values > 0], 99.5)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python configs/train/brain.py FOLDER")
    fetch(Path(sys.argv[1]))
