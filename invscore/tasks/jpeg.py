"""Noise level of the error of JPEG compression, which hides the noise of a camera.

JPEG keeps colours at half the resolution, and rounds away fine detail with the noise in it, so that
the finest scales do not tell the error of coarser ones. That is measured on the picture itself,
moved by half a block and compressed once more with the same tables.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, JpegImagePlugin

HALF_BLOCK = 4
"""Pixels by which the picture is moved: blocks of JPEG have 8 x 8."""

SIDE = 512
"""Largest side in pixels of the middle part that is compressed."""

BAND = 0.03, 0.2
"""Frequencies, in cycles a pixel, over which the error is averaged: those that are restored."""

FEWEST = 24
"""Least side of a picture in pixels: three blocks."""

MODES = "L", "RGB", "CMYK"
"""Kinds of pictures that JPEG has: inks are compared in the colours that are read of them."""


def rounding(path: str | Path) -> float:
    """The deviation of the error of a JPEG file from 0 to 1, as of white noise; 0 of all others.

    Of its frequencies from 0.03 to 0.2 cycles a pixel, its mean over the channels.

    >>> import tempfile
    >>> import numpy as np
    >>> from PIL import Image
    >>> from invscore.tasks.jpeg import rounding
    >>> shades = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     Image.fromarray(shades).save(f"{folder}/coarse.jpg", quality=50)
    ...     Image.fromarray(shades).save(f"{folder}/fine.jpg", quality=98, subsampling=0)
    ...     rounding(f"{folder}/coarse.jpg") > 10 * rounding(f"{folder}/fine.jpg") > 0
    True
    """
    try:
        opened = Image.open(path)
    except (OSError, ValueError):  # no picture of Pillow's
        return 0.0
    with opened:
        if not isinstance(opened, JpegImagePlugin.JpegImageFile) or opened.mode not in MODES:
            return 0.0
        if min(opened.size) < FEWEST:
            return 0.0
        left, top = ((size - min(size, SIDE)) // 2 // 16 * 16 for size in opened.size)
        box = (left, top, min(left + SIDE, opened.width), min(top + SIDE, opened.height))
        tables, sampling = opened.quantization, JpegImagePlugin.get_sampling(opened)
        part = opened.crop(box)
    part = part.crop((HALF_BLOCK, HALF_BLOCK, *part.size))
    again = io.BytesIO()
    same = {"subsampling": sampling} if part.mode == "RGB" and sampling >= 0 else {}
    part.save(again, "JPEG", qtables=tables, **same)
    before, after = _shown(part), _shown(Image.open(again))
    error = (after - before) / 255
    power = np.abs(np.fft.fft2(error, axes=(0, 1), norm="ortho")) ** 2
    along, across = (np.fft.fftfreq(size) for size in before.shape[:2])
    radius = np.hypot(along[:, None], across)
    return float(power[(radius > BAND[0]) & (radius < BAND[1])].mean()) ** 0.5


def _shown(picture: Image.Image) -> np.ndarray[Any, Any]:
    """Shades or colours as they are read, (h, w) or (h, w, 3), from 0 to 255."""
    seen = picture.convert("RGB") if picture.mode == "CMYK" else picture
    return np.asarray(seen, dtype=np.float64)
