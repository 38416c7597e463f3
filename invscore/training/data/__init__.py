"""Training data: folders of photographs, slices of arrays, or a function of one's own."""

from __future__ import annotations

from invscore.training.data.arrays import ArraySlices
from invscore.training.data.base import Source
from invscore.training.data.config import ArraysConfig, CallableConfig, FolderConfig
from invscore.training.data.function import FunctionSource
from invscore.training.data.photos import PhotoCrops

__all__ = ["ArraySlices", "FunctionSource", "PhotoCrops", "Source", "open_source"]


def open_source(
    config: FolderConfig | ArraysConfig | CallableConfig, split: str, *, channels: int
) -> Source:
    """The data that ``config`` describes, those of ``split``: "train" or "val".

    ``channels`` is what photographs are turned into. Raises ``ValueError`` for data that cannot be
    used.

    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from PIL import Image
    >>> from invscore.training.data import open_source
    >>> from invscore.training.data.config import FolderConfig
    >>> folder = Path(tempfile.mkdtemp())
    >>> (folder / "train").mkdir()
    >>> shades = np.linspace(0, 255, 64 * 64).reshape(64, 64).astype("uint8")
    >>> Image.fromarray(shades).save(folder / "train" / "photo.png")
    >>> open_source(FolderConfig(folder=folder, crop=16), "train", channels=1).shape
    (1, 16, 16)
    """
    if isinstance(config, FolderConfig):
        return PhotoCrops(
            config.folder / split,
            crop=config.crop,
            longest_side=config.longest_side,
            channels=channels,
        )
    if isinstance(config, ArraysConfig):
        return ArraySlices(config, split)
    return FunctionSource(
        config.callable, split=split, options=config.options, together=config.together
    )
