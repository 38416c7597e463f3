"""A head in slices three times as thick as their pixels, in NIfTI, made isotropic.

Part of a T1-weighted head of 1 mm; a prior of photographs sees the volume in three planes. The
result is a NIfTI volume in the same place.
"""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
from heads import volume
from scipy.ndimage import zoom

BASELINE = "cubic splines between slices"
COMMAND = (
    'reconstruct --op "superres(factor=[1, 3], kernel=box)" --prior photos-gray '
    "--measurement {folder}/head.nii.gz --axes zhw --volume z --samples 2"
)
CORNER, SIZE, THICKER, NOISE = (60, 40, 70), (40, 44, 36), 3, 0.01
"""Of the template, in voxels; the noise of the brightest tissue."""


def tissue() -> np.ndarray:
    """Voxels, (x, y, z), 1 the brightest."""
    inside = tuple(slice(a, a + n) for a, n in zip(CORNER, SIZE, strict=True))
    found = volume()[inside]
    return (found / found.max()).astype(np.float32)


def measure(folder: Path) -> np.ndarray:
    """``head.nii.gz``; the volume, (1, x, y, z)."""
    clean = tissue()
    x, y, z = clean.shape
    thick = clean.reshape(x, y, z // THICKER, THICKER).mean(axis=3)
    seen = thick + NOISE * np.random.default_rng(0).standard_normal(thick.shape)
    affine = np.diag([1.0, 1.0, THICKER, 1.0])
    affine[:3, 3] = CORNER
    affine[2, 3] += (THICKER - 1) / 2
    nibabel.Nifti1Image(seen.astype(np.float32), affine).to_filename(folder / "head.nii.gz")
    return clean[None]


def baseline(folder: Path) -> np.ndarray:
    """Along the third axis, the field of view being that of whole slices."""
    seen = nibabel.load(folder / "head.nii.gz").get_fdata(dtype=np.float32)
    return zoom(seen, (1, 1, THICKER), order=3, mode="nearest", grid_mode=True)[None]
