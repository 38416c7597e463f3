"""Training crops: random sizes, positions, colours and orientations of a folder of photographs."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from invscore.training.data.base import Source

SUFFIXES = {".png", ".jpg", ".jpeg", ".tif", ".tiff"}
FILTERS = (Image.Resampling.BOX, Image.Resampling.BICUBIC, Image.Resampling.LANCZOS)


class PhotoCrops(Source):
    """Square crops from the photographs in ``folder``, as a function of a random generator.

    Each crop is taken from a photograph shrunk, by a random filter, so that its longest side is
    log-uniform in ``longest_side`` pixels; it is flipped and rotated at random. With one channel
    it is a random convex mixture of the colour channels, so that one prior serves luminance and
    single colours alike. Raises ``ValueError`` for a folder without images, or with one that
    cannot be read, is smaller than a crop or has more than 8 bits a channel.

    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from PIL import Image
    >>> from invscore.training.data import PhotoCrops
    >>> folder = Path(tempfile.mkdtemp())
    >>> shades = np.linspace(0, 255, 64 * 64).reshape(64, 64).astype("uint8")
    >>> Image.fromarray(shades).save(folder / "photo.png")
    >>> crops = PhotoCrops(folder, crop=16, longest_side=(32, 64), channels=1)
    >>> crops.batch(2, np.random.default_rng(0)).shape
    torch.Size([2, 1, 16, 16])
    """

    def __init__(
        self, folder: Path, *, crop: int, longest_side: tuple[int, int], channels: int
    ) -> None:
        shown = (file for file in Path(folder).glob("*") if not file.name.startswith("."))
        files = sorted(file for file in shown if file.suffix.lower() in SUFFIXES)
        if not files:
            raise ValueError(
                f"no images in {str(folder)!r} (looked for {', '.join(sorted(SUFFIXES))})"
            )
        if channels not in (1, 3):
            raise ValueError(f"`channels` of photographs must be 1 or 3, got {channels}")
        self.images = [_read(file, crop) for file in files]
        self.crop = crop
        self.longest_side = longest_side
        self.channels = channels
        self.shape = (channels, crop, crop)

    def digest(self) -> str:
        """SHA-256 over all pixels: which data a prior has seen."""
        total = hashlib.sha256()
        for image in self.images:
            total.update(np.asarray(image).tobytes())
        return total.hexdigest()

    def batch(self, count: int, random: np.random.Generator) -> Tensor:
        """``count`` crops, float32 (count, channels, crop, crop) in [0, 1]."""
        return torch.from_numpy(np.stack([self._one(random) for _ in range(count)]))

    def _one(self, random: np.random.Generator) -> np.ndarray:
        image = self.images[random.integers(len(self.images))]
        side = np.exp(random.uniform(*np.log(self.longest_side)))
        window = min(max(1.0, max(image.size) / side) * self.crop, *image.size)
        left, top = (random.uniform(0, size - window) for size in image.size)
        resampling = FILTERS[random.integers(len(FILTERS))]
        box = (left, top, left + window, top + window)
        small = image.resize((self.crop, self.crop), resampling, box=box)
        pixels = np.asarray(small, dtype=np.float32).transpose(2, 0, 1) / 255
        if self.channels == 1:
            pixels = np.tensordot(random.dirichlet(np.ones(3)).astype(np.float32), pixels, 1)[None]
        pixels = np.rot90(pixels, int(random.integers(4)), axes=(1, 2))
        return np.ascontiguousarray(pixels[..., ::-1] if random.integers(2) else pixels)


def _read(file: Path, crop: int) -> Image.Image:
    try:
        image = Image.open(file)
        if min(image.size) < crop:
            raise ValueError(
                f"it must have at least {crop} x {crop} pixels, got {image.height} x {image.width}"
            )
        # Pillow cuts deeper images off at 255 where they become RGB.
        if image.mode.startswith(("I", "F")):
            raise ValueError("it has more than 8 bits a channel")
        return image.convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(f"training image {str(file)!r} cannot be used: {error}") from error
