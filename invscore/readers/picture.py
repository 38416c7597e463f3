"""PNG, JPEG and whatever else Pillow reads, turned as their EXIF orientation says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from invscore.readers.base import Recording, Unfit, Wanted, single
from invscore.readers.memory_check import require_room

PIXEL = 4 + 4 + 4 + 8
"""Most bytes for each pixel: decoded, turned, converted, and its opacity."""


def read(file: Path, wanted: Wanted) -> Recording:
    """The picture in ``file``: gray (h, w) or colour (h, w, 3), and its opacity if it has one.

    Pillow reads 16-bit colour PNG as 8 bits. Raises ``Unfit`` for an animation.
    """
    single(file, wanted)
    try:
        opened = Image.open(file)
    except UnidentifiedImageError:
        raise Unfit(
            f"{str(file)!r} cannot be read as an image: it is in no known image format"
        ) from None
    with opened:
        if getattr(opened, "is_animated", False) and opened.format != "MPO":
            frames = getattr(opened, "n_frames", "several")
            raise Unfit(
                f"{str(file)!r} must hold a single image, got {frames}: save frames as files of a "
                "folder, or as pages of a TIFF, to restore them together"
            )
        require_room(file, opened.size[::-1], PIXEL)
        return as_recording(ImageOps.exif_transpose(opened))


def as_recording(image: Image.Image) -> Recording:
    """The pixels of a Pillow image of any mode."""
    if image.mode.startswith("I"):
        return Recording(np.asarray(image).clip(0, 65535).astype(np.uint16), "hw", 65535.0)
    if image.mode == "F":
        return Recording(np.asarray(image), "hw")
    gray = image.mode in ("1", "L", "LA", "La")
    opacity = None
    if image.has_transparency_data:
        image = image.convert("RGBA")
        opacity = np.asarray(image.getchannel("A")) / 255.0
        # From RGBA, gray would be a mixture of three equal colours, rounded.
        image = image.getchannel("R") if gray else image.convert("RGB")
    values = np.asarray(image.convert("L" if gray else "RGB"))
    return Recording(values, "hw" if gray else "hwc", 255.0, opacity=opacity)
