"""A slice of a head, and the coils around it, for jobs of magnetic resonance imaging."""

from __future__ import annotations

import numpy as np
import torch
from nilearn.datasets import load_mni152_template
from torch import Tensor

from invscore.bench.brain import smooth_phase
from invscore.operators import LinearOperator
from invscore.operators.coils import birdcage_maps

SLICE, ROWS, COLUMNS = 80, slice(6, 110), slice(6, 94)
"""Of the template; and what the field of view has of it, in pixels of 2 mm."""


def volume() -> np.ndarray:
    """The template MNI152, T1-weighted, that comes with nilearn: (x, y, z) in [0, 1], 1 mm."""
    return np.asarray(load_mni152_template(resolution=1).get_fdata(dtype=np.float32))


def binned(image: np.ndarray) -> np.ndarray:
    """Means of 2 x 2 pixels of (h, w)."""
    height, width = (n - n % 2 for n in image.shape)
    return image[:height, :width].reshape(height // 2, 2, width // 2, 2).mean(axis=(1, 3))


def head() -> np.ndarray:
    """An axial slice of magnitude 1 at most, with a smooth phase: complex64 (104, 88)."""
    magnitude = binned(volume()[:, :, SLICE].T[::-1])[ROWS, COLUMNS]
    phase = smooth_phase(3, *magnitude.shape)
    return (magnitude / magnitude.max() * np.exp(1j * phase)).astype(np.complex64)


def coils(count: int, height: int, width: int) -> np.ndarray:
    """Smooth sensitivities, (count, height, width), whose squares sum to one."""
    return birdcage_maps(count, height, width).numpy()


def seen_by(maps: np.ndarray, image: np.ndarray) -> np.ndarray:
    """``image`` with the phase of the first coil, which estimated maps lack."""
    return (image * np.exp(1j * np.angle(maps[0]))).astype(np.complex64)


def cg_sense(operator: LinearOperator, y: Tensor, truth: np.ndarray) -> np.ndarray:
    """``(A^H A + w)^-1 A^H y`` of one measurement, with the best of five weights w."""
    largest = operator.norm() ** 2
    found = [
        operator.ridge(y, weight * largest)[0].numpy() for weight in (3e-4, 1e-3, 3e-3, 1e-2, 3e-2)
    ]
    return min(found, key=lambda image: float((np.abs(image - truth) ** 2).sum()))


def noisy(kspace: np.ndarray, level: float) -> np.ndarray:
    """``kspace`` with noise of deviation ``level`` in real and imaginary parts."""
    rng = np.random.default_rng(0)
    parts = rng.standard_normal(kspace.shape) + 1j * rng.standard_normal(kspace.shape)
    return (kspace + level * parts).astype(np.complex64)


def fourier(images: np.ndarray) -> np.ndarray:
    """The centred orthonormal transform over the last two axes."""
    axes = (-2, -1)
    shifted = np.fft.ifftshift(images, axes=axes)
    return np.fft.fftshift(np.fft.fft2(shifted, axes=axes, norm="ortho"), axes=axes)


def as_tensor(kspace: np.ndarray) -> Tensor:
    """A batch of one measurement."""
    return torch.from_numpy(np.ascontiguousarray(kspace))[None]
