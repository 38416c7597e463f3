"""Images that jobs measure: those that scikit-image carries, shrunk to a few pixels."""

from __future__ import annotations

import numpy as np

from invscore.images import crop_and_shrink, load_image, to_gray


def gray(name: str, size: int) -> np.ndarray:
    """A sample in gray, (size, size) in [0, 1]."""
    return to_gray(crop_and_shrink(load_image(name), size))[0].double().numpy()


def colour(name: str, size: int) -> np.ndarray:
    """A sample in colour, (3, size, size) in [0, 1]."""
    return crop_and_shrink(load_image(name), size).double().numpy()
