"""Kernels and masks from image files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from torch import Tensor


def read_gray(path: str | Path) -> Tensor:
    """The image at ``path`` as (h, w) float64 in the file's own units; colours become gray.

    Reads ``.npy`` and what Pillow reads. Raises ``ValueError`` for anything else.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"image {str(path)!r}: no such file")
    try:
        if path.suffix == ".npy":
            values = np.load(path, allow_pickle=False).astype(np.float64)
        else:
            with Image.open(path) as image:
                plain = image.mode in ("L", "I", "F", "1") or image.mode.startswith("I;16")
                values = np.asarray(image if plain else image.convert("L"), dtype=np.float64)
    except (UnidentifiedImageError, OSError, ValueError, TypeError) as error:
        raise ValueError(f"image {str(path)!r} cannot be read: {error}") from error
    if values.ndim != 2:
        raise ValueError(f"image {str(path)!r} must have shape (h, w), got {values.shape}")
    return torch.from_numpy(np.ascontiguousarray(values))
