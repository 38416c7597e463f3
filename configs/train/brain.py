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
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Self

import nibabel
import numpy as np
from nibabel.processing import resample_from_to
from PIL import Image
from scipy.ndimage import binary_closing, binary_dilation, binary_fill_holes, gaussian_filter

PACKAGE = "mricron-data"
TEMPLATES = Path("usr/share/mricron/templates")
HEAD, BRAIN = "ch2.nii.gz", "ch2better.nii.gz"
LARGEST_ANGLE = 20.0  # degrees
LARGEST_BLUR = 1.2  # pixels, standard deviation
LARGEST_AVERAGE = 2.5  # pixels, standard deviation
BAND = 6  # neighbouring slices that share a split
EMPTY = 0.05  # a voxel below this is no part of the head
SULCUS = 4  # voxels of 1 mm: half the width of a fold that belongs to the brain's inside


@dataclass(frozen=True)
class Source:
    """A volume, whether the brain is cut out of it here, and how many voxels make a pixel."""

    file: str
    extracted: bool
    voxels: tuple[float, float]


SOURCES = (
    Source(HEAD, extracted=False, voxels=(0.8, 1.4)),
    Source(HEAD, extracted=True, voxels=(0.8, 1.4)),
    Source(BRAIN, extracted=False, voxels=(1.4, 2.6)),
)


def fetch(folder: Path) -> None:
    """Put the volumes into ``folder``."""
    with tempfile.TemporaryDirectory() as temporary:
        subprocess.run(["apt-get", "download", PACKAGE], cwd=temporary, check=True)
        (package,) = Path(temporary).glob("*.deb")
        subprocess.run(["dpkg", "-x", package, temporary], check=True)
        folder.mkdir(parents=True, exist_ok=True)
        for name in (HEAD, BRAIN):
            (folder / name).write_bytes((Path(temporary) / TEMPLATES / name).read_bytes())


def slices(
    count: int, random: np.random.Generator, split: str, *, folder: str, crop: int
) -> np.ndarray:
    """Complex crops (count, 1, crop, crop) of axial, coronal and sagittal slices, of peak 1.

    Each is rotated, scaled and flipped at random, half of them blurred as by a coarser scanner,
    a third of them unevenly blurred as in an average of several heads, the contrast changed by a
    power, and multiplied by a random smooth phase. A third show the brain cut out of the head:
    outside of its mask, whose border follows the pixels, nothing is left. Of every eight bands of
    slices one is for validation: it shows the progress of training, but not how the prior does on
    another head.
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
    source = SOURCES[random.integers(len(SOURCES))]
    volume, inside = _volume(source, folder)
    axis, voxel = _place(volume, random, split)
    index = voxel.pop(axis)
    window = Window.draw(voxel, random, crop, random.uniform(*source.voxels))
    magnitude = window.of(np.moveaxis(volume, axis, 0)[index])
    if random.integers(2):
        magnitude = gaussian_filter(magnitude, random.uniform(0, LARGEST_BLUR))
    if random.integers(3) == 0:
        magnitude = _averaged(magnitude, random)
    if inside is not None:
        magnitude = np.where(window.of(np.moveaxis(inside, axis, 0)[index]) > 0.5, magnitude, 0)
    magnitude = magnitude.clip(0) ** np.exp(random.uniform(-0.3, 0.3)) * random.uniform(0.8, 1.05)
    if random.integers(2):
        magnitude = magnitude[:, ::-1]
    return (magnitude * np.exp(1j * smooth_phase(random, crop, crop))).astype(np.complex64)


def _averaged(magnitude: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Blurred here and sharp there, as where several heads agree less and more."""
    blurred = gaussian_filter(magnitude, random.uniform(1, LARGEST_AVERAGE))
    bumps = Image.fromarray(random.normal(0.5, 1, size=(4, 4)).astype(np.float32))
    weight = np.asarray(bumps.resize(magnitude.shape[::-1], Image.Resampling.BICUBIC)).clip(0, 1)
    return magnitude + weight * (blurred - magnitude)


def _place(volume: np.ndarray, random: np.random.Generator, split: str) -> tuple[int, list[int]]:
    """The axis across a slice of ``split``, and a voxel of the head in that slice."""
    while True:
        axis = int(random.integers(3))
        voxel = [int(random.integers(size)) for size in volume.shape]
        validation = voxel[axis] // BAND % 8 == 0
        if volume[tuple(voxel)] > EMPTY and validation == (split == "val"):
            return axis, voxel


@dataclass(frozen=True)
class Window:
    """A square of a slice around (row, column), turned by ``angle`` degrees: ``scale`` voxels a
    pixel, ``side`` pixels a side."""

    row: float
    column: float
    angle: float
    scale: float
    side: int

    @classmethod
    def draw(cls, voxel: list[int], random: np.random.Generator, side: int, scale: float) -> Self:
        """One with ``voxel`` in it, not always in its middle."""
        row, column = (at + random.uniform(-0.4, 0.4) * scale * side for at in voxel)
        angle = random.uniform(-LARGEST_ANGLE, LARGEST_ANGLE) + 90 * random.integers(4)
        return cls(row, column, angle, scale, side)

    def of(self, plane: np.ndarray) -> np.ndarray:
        """What is seen of ``plane``."""
        reach = 0.75 * self.scale * self.side  # so that the turned square has no empty corners
        left, top = int(self.column - reach), int(self.row - reach)
        box = (left, top, int(self.column + reach), int(self.row + reach))
        turned = (
            Image.fromarray(np.ascontiguousarray(plane))
            .crop(box)
            .rotate(self.angle, Image.Resampling.BICUBIC)
        )
        margin = (turned.width - self.scale * self.side) / 2
        inner = (margin, margin, turned.width - margin, turned.width - margin)
        size = (self.side, self.side)
        return np.asarray(turned.resize(size, Image.Resampling.LANCZOS, box=inner))


@cache
def _volume(source: Source, folder: Path) -> tuple[np.ndarray, np.ndarray | None]:
    """The volume as float32, its brightest tissue (the 99.5th percentile above 0) at 1, and where
    the brain is cut out of it the mask of what is inside, 0 or 1."""
    image = nibabel.load(folder / source.file)
    values = np.asarray(image.dataobj, dtype=np.float32)  # type: ignore[attr-defined]
    inside = None
    if source.extracted:
        inside = _brain(image, folder)
        values = values * binary_dilation(inside > 0, iterations=2)
    return values / np.percentile(values[values > 0], 99.5), inside


def _brain(image: nibabel.spatialimages.SpatialImage, folder: Path) -> np.ndarray:
    """Where the brain lies in ``image``: with its folds and ventricles, and a voxel around it."""
    brain = resample_from_to(nibabel.load(folder / BRAIN), image, order=1)
    values = np.asarray(brain.dataobj)
    closed = binary_closing(values > EMPTY * values.max(), iterations=SULCUS)
    return binary_dilation(binary_fill_holes(closed)).astype(np.float32)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python configs/train/brain.py FOLDER")
    fetch(Path(sys.argv[1]))
