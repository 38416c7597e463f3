"""Pictures as text: PNGs in base64, each of them once."""

from __future__ import annotations

import base64
import hashlib
import io

import torch
from PIL import Image
from torch import Tensor

MAP_LEVELS = 64
"""Shades of a map: finer ones are the noise of few samples, and would double its file."""


class Pictures:
    """The pictures of a page by their names ``p0``, ``p1``, ...; equal ones have one name."""

    def __init__(self) -> None:
        self.encoded: dict[str, str] = {}
        self._names: dict[bytes, str] = {}

    def add(self, image: Tensor, white: float, levels: int = 256) -> str:
        """The name of ``image``, (c, h, w), c 1 or 3, drawn from black at 0 to ``white``."""
        png = as_png(image, white, levels)
        digest = hashlib.sha256(png).digest()
        name = self._names.setdefault(digest, f"p{len(self._names)}")
        if name not in self.encoded:
            self.encoded[name] = base64.b64encode(png).decode("ascii")
        return name


def as_png(image: Tensor, white: float, levels: int = 256) -> bytes:
    """A PNG of ``levels`` shades in 8 bits; values beyond [0, ``white``] are clipped, NaN is 0."""
    shades = (image.detach().cpu().double() / white).nan_to_num(0, 1, 0).clamp(0, 1)
    quantised = (shades * (levels - 1)).round() * (255 / (levels - 1))
    pixels = quantised.round().to(torch.uint8).movedim(0, -1).contiguous().numpy()
    file = io.BytesIO()
    Image.fromarray(pixels[..., 0] if len(image) == 1 else pixels).save(file, format="PNG")
    return file.getvalue()
