"""Slices of a brain that no prior of ours has seen, as complex images."""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

AXES = ("sagittal", "coronal", "axial")
PLACES = {
    "sagittal": (56, 77, 112, 140),
    "coronal": (70, 105, 140, 170),
    "axial": (55, 80, 105, 130),
}
"""Voxels of 1 mm across which the slices lie: all cut the cerebrum, none through its midline."""
NAMES = tuple(f"{axis}-{place}" for axis in AXES for place in PLACES[axis])


def brain_slice(name: str) -> Tensor:
    """The slice ``name``, such as ``axial-80``, complex64 (1, h, w), of peak about 1.

    The magnitude is that of the template MNI152 (2009), T1, without the skull, 1 mm a pixel, as
    nilearn brings it. Raises ``ValueError`` where nilearn is not installed.
    """
    axis, place = name.split("-")
    magnitude = np.take(_template(), int(place), AXES.index(axis)).T[::-1]
    phase = smooth_phase(NAMES.index(name), *magnitude.shape)
    return torch.from_numpy((magnitude * np.exp(1j * phase)).astype(np.complex64))[None]


def smooth_phase(number: int, height: int, width: int) -> npt.NDArray[np.float64]:
    """A phase in radians, (height, width): a constant, a slope and a wave, all of them
    different for each ``number``, as inhomogeneous fields and coils make them."""
    y, x = np.meshgrid(np.linspace(-1, 1, height), np.linspace(-1, 1, width), indexing="ij")
    slope = np.cos(2.4 * number) * y + np.sin(2.4 * number) * x
    return number + slope + np.sin(1.5 * y + number) * np.cos(2 * x - number)


@cache
def _template() -> npt.NDArray[np.float32]:
    try:
        from nilearn.datasets import load_mni152_template
    except ImportError as error:
        raise ValueError(
            "slices of a brain need the package nilearn: pip install 'invscore[bench]'"
        ) from error
    template: npt.NDArray[np.float32] = load_mni152_template(resolution=1).get_fdata(
        dtype=np.float32
    )
    return template
