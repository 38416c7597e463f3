"""The images that a task measures."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from invscore.bench.held_out import COLLECTIONS
from invscore.bench.imaging.config import HELD_OUT, Images
from invscore.images import crop_and_shrink, is_sample, load_image, to_gray
from invscore.tasks.folder import images_in


@dataclass(frozen=True)
class BenchmarkImage:
    """One image of ``size`` x ``size`` pixels.

    ``name``: what tables call it. ``collection``: of which kind it is, a key of ``COLLECTIONS``.
    ``file``: where it is, or the name of a sample image; empty for a member of the collection.
    ``digest``: twelve digits that tell the content of a file from another.
    """

    name: str
    collection: str
    size: int
    file: str = ""
    digest: str = ""

    @property
    def complex_valued(self) -> bool:
        return COLLECTIONS[self.collection].complex_valued

    def load(self) -> Tensor:
        """The image, (c, h, w). Raises ``ValueError`` where it cannot be read or is too small."""
        if not self.file:
            return COLLECTIONS[self.collection].load(self.name, self.size)
        image = load_image(self.file)
        return crop_and_shrink(to_gray(image) if self.collection == "gray" else image, self.size)


def find_sources(images: Images, collection: str, size: int) -> list[BenchmarkImage]:
    """The images that a configuration names, for a prior that knows those of ``collection``.

    Raises ``ValueError`` for a folder or a file that is not there, and for a name that comes twice.
    """
    if images == HELD_OUT:
        return [BenchmarkImage(name, collection, size) for name in COLLECTIONS[collection].names]
    files = [str(f) for f in images_in(Path(images))] if isinstance(images, str) else list(images)
    found = [BenchmarkImage(Path(f).stem, collection, size, f, _digest(f)) for f in files]
    for name, count in Counter(source.name for source in found).items():
        if count > 1:
            raise ValueError(f"each image must have a name of its own, got {name!r} {count} times")
    return found


def _digest(file: str) -> str:
    if is_sample(file):
        return ""
    if not Path(file).is_file():
        raise ValueError(f"image {file!r}: no such file")
    return hashlib.sha256(Path(file).read_bytes()).hexdigest()[:12]
