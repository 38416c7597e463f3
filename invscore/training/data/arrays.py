"""Training images that are slices of arrays: stacks of images, volumes, real or complex."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from invscore.readers import Values
from invscore.training.data.base import Source
from invscore.training.data.config import ArraysConfig
from invscore.training.data.files import array_files, digest, open_array

Array = npt.NDArray[Any]
Index = tuple[int | slice, ...]


@dataclass(frozen=True)
class Volume:
    """An array, what its values are divided by, and its axis of image channels."""

    file: Path
    values: Values
    peak: float
    channel_axis: int | None

    def image(self, index: Index) -> Array:
        """One slice, (c, h, w) in image units."""
        part = np.asarray(self.values[index])
        kind = np.complex64 if part.dtype.kind == "c" else np.float32
        part = part.astype(kind) / np.float32(self.peak)
        if self.channel_axis is None:
            return part[None]
        gone = sum(isinstance(at, int) for at in index[: self.channel_axis])
        return np.moveaxis(part, self.channel_axis - gone, 0)


Slice = tuple[Volume, Index]


class ArraySlices(Source):
    """Slices ``config.along`` some axes of arrays, cropped, flipped and turned at random.

    The data of ``split`` are those in the folder of that name, or, where there are no folders
    train/ and val/, a share of all slices that ``config.seed`` decides on. Raises ``ValueError``
    for files, axes or sizes that do not fit, and for values that are not finite.

    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from invscore.training.data import ArraySlices
    >>> from invscore.training.data.config import ArraysConfig
    >>> file = Path(tempfile.mkdtemp()) / "volumes.npy"
    >>> np.save(file, np.random.default_rng(0).random((20, 16, 16)))
    >>> slices = ArraySlices(ArraysConfig(kind="arrays", path=file, peak=1.0), "train")
    >>> slices.batch(2, np.random.default_rng(0)).shape
    torch.Size([2, 1, 16, 16])
    """

    def __init__(self, config: ArraysConfig, split: str) -> None:
        self.config = config
        folders = config.path / "train", config.path / "val"
        apart = all(folder.is_dir() for folder in folders)
        if config.contiguous and len(config.along) > 1 and not apart:
            raise ValueError(
                f"contiguous is true and along has {len(config.along)} entries: slices along one "
                "cross those held out along another, put whole files into folders train/ and val/"
            )
        self.files = array_files(config.path / split if apart else config.path)
        volumes = [_open(file, config) for file in self.files]
        runs = [
            _run(volume, axes) for volume in volumes for axes in _families(volume, config.along)
        ]
        self.slices = [*chain(*chain(*runs))] if apart else _split(runs, split, config)
        if config.darkest:
            self.slices = [s for s in self.slices if np.abs(_image(s)).mean() >= config.darkest]
            if not self.slices:
                raise ValueError(
                    f"`darkest` must leave slices for {split}, got {config.darkest}: all are darker"
                )
        self.shape = self._common_shape()

    def batch(self, count: int, random: np.random.Generator) -> Tensor:
        return torch.from_numpy(np.stack([self._one(random) for _ in range(count)]))

    def digest(self) -> str:
        """SHA-256 over the files."""
        return digest(self.files)

    def _one(self, random: np.random.Generator) -> Array:
        image = _image(self.slices[random.integers(len(self.slices))])
        if (size := self.config.crop) is not None:
            top, left = (int(random.integers(side - size + 1)) for side in image.shape[1:])
            image = image[:, top : top + size, left : left + size]
        if self.config.rotate:  # a quarter turn changes the shape of what is not square
            turns = 1 if image.shape[1] == image.shape[2] else 2
            image = np.rot90(image, turns * int(random.integers(4)), axes=(1, 2))
        if self.config.flip and random.integers(2):
            image = image[..., ::-1]
        return np.ascontiguousarray(image)

    def _common_shape(self) -> tuple[int, int, int]:
        """The shape of an image, the same for all; and all are real or all complex."""
        crop = self.config.crop
        found: dict[tuple[tuple[int, int, int], bool], Path] = {}
        for volume, index in self.slices:
            shape = _image_shape(volume, index)
            if crop is not None and min(shape[1:]) < crop:
                raise ValueError(
                    f"`crop` must fit into the slices of {str(volume.file)!r}, {shape[1]} x "
                    f"{shape[2]} pixels, got {crop}"
                )
            height, width = shape[1:] if crop is None else (crop, crop)
            found[(shape[0], height, width), volume.values.dtype.kind == "c"] = volume.file
        (shape, _), *others = found
        if others:
            ours, theirs = list(found.values())[:2]
            raise ValueError(
                f"slices of {str(ours)!r} and {str(theirs)!r} must be of one shape (or have a "
                "crop), and all real or all complex"
            )
        return shape


def _open(file: Path, config: ArraysConfig) -> Volume:
    values, axis = open_array(file, config.key), config.channel_axis
    dimensions = len(values.shape)
    if dimensions < 2 + (axis is not None) or 0 in values.shape:
        raise ValueError(
            f"{str(file)!r} must hold one image or more, of two axes besides channel_axis, "
            f"got the shape {values.shape}"
        )
    if axis is not None and not -dimensions <= axis < dimensions:
        raise ValueError(
            f"`channel_axis` must be an axis of {str(file)!r}, of shape {values.shape}, got {axis}"
        )
    largest = _largest(values)
    if not np.isfinite(largest):
        raise ValueError(f"{str(file)!r} must be finite, got NaN or infinite values")
    peak = largest if config.peak == "file" else config.peak
    if not peak:
        raise ValueError(f"the largest magnitude in {str(file)!r} must be positive, got 0")
    return Volume(file, values, peak, None if axis is None else axis % dimensions)


def _largest(values: Values) -> float:
    """The largest magnitude, NaN where there is one.

    Read in parts: the array may be larger than memory.
    """
    return float(np.max([np.abs(values[k]).max() for k in range(values.shape[0])]))


def _families(volume: Volume, along: tuple[int | tuple[int, ...], ...]) -> list[tuple[int, ...]]:
    """Axes that are gone in a slice, in the order given; what remains is an image."""
    shape = volume.values.shape
    extra = len(shape) - 2 - (volume.channel_axis is not None)
    if extra == 0:
        return [()]
    families = []
    for entry in along:
        axes = (entry,) if isinstance(entry, int) else entry
        fits = all(-len(shape) <= axis < len(shape) for axis in axes)
        distinct = {axis % len(shape) for axis in axes} - {volume.channel_axis}
        if not fits or len(distinct) != len(axes) or len(axes) != extra:
            raise ValueError(
                f"`along` must name {extra} of the axes of {str(volume.file)!r} of shape "
                f"{shape}, channels apart, got {entry}"
            )
        families.append(tuple(axis % len(shape) for axis in axes))
    return families


def _run(volume: Volume, axes: tuple[int, ...]) -> list[list[Slice]]:
    """The slices along ``axes``, in their order; those at one place along the first together."""
    slices = [(volume, index) for index in _indices(volume, axes)]
    together = prod(volume.values.shape[axis] for axis in axes[1:])
    return [slices[k : k + together] for k in range(0, len(slices), together)]


def _indices(volume: Volume, axes: tuple[int, ...]) -> Iterator[Index]:
    shape = volume.values.shape
    for place in np.ndindex(*(shape[axis] for axis in axes)):
        at = dict(zip(axes, place, strict=True))
        yield tuple(at.get(axis, slice(None)) for axis in range(len(shape)))


def _split(runs: list[list[list[Slice]]], split: str, config: ArraysConfig) -> list[Slice]:
    """The slices of ``split``: a share of all, or a block of neighbours of each run."""
    random = np.random.default_rng(config.seed)
    chosen: list[Slice] = []
    scattered = [[[one] for one in chain(*chain(*runs))]]
    for run in runs if config.contiguous else scattered:
        held_out = max(1, round(config.validation * len(run)))
        if held_out >= len(run):
            raise ValueError(
                f"{str(config.path)!r} has too few slices to hold out a share of "
                f"{config.validation}: give folders train/ and val/"
            )
        first = int(random.integers(len(run) - held_out + 1))
        order = range(len(run)) if config.contiguous else random.permutation(len(run))
        out = set(list(order)[first : first + held_out])
        chosen += chain(*(run[k] for k in range(len(run)) if (k in out) == (split == "val")))
    return chosen


def _image(chosen: Slice) -> Array:
    volume, index = chosen
    return volume.image(index)


def _image_shape(volume: Volume, index: Index) -> tuple[int, int, int]:
    axis = volume.channel_axis
    height, width = (
        size
        for k, (size, at) in enumerate(zip(volume.values.shape, index, strict=True))
        if isinstance(at, slice) and k != axis
    )
    return 1 if axis is None else volume.values.shape[axis], height, width
