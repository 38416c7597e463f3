"""The images that options are chosen on and intervals calibrated on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from torch import Tensor

from invscore.hardware import memory
from invscore.images import crop_and_shrink, is_sample, load_image
from invscore.priors import Prior
from invscore.tasks.folder import images_in, names_of
from invscore.tune.held_out import refuse_held_out

SHRINK = (2.0, 8.0)
"""Factors by which photographs of a camera are shrunk: at twice or more they are sharp at pixel
level."""


def validation_images(
    folder: Path, size: int, *, crops: int | None = None, seed: int = 0
) -> dict[str, Tensor]:
    """Images (c, ``size``, ``size``) by name, from a ``folder`` of photographs.

    Each photograph shrunk to ``size`` and cropped; or, if their number is given, ``crops`` from
    random places, the photographs taking turns: squares shrunk by a factor that is log-uniform
    between 2 and 8, or less where the photograph is smaller, so that there are several scales.

    Raises ``ValueError`` for a sample image in the place of a folder, for an image that is held
    out, for one smaller than ``size``, and for more ``crops`` than fit into memory.
    """
    if is_sample(folder):
        raise ValueError(
            "`images` must be a folder of other images than the samples, which are held out, "
            f"got {str(folder)!r}"
        )
    files = images_in(folder)
    if crops is None:
        photographs = _load(files, folder)
        return {name: crop_and_shrink(image, size) for name, image in photographs}
    memory.require(memory.FLOAT * 3.0 * crops * size**2, f"{crops} crops", "fewer")
    random = np.random.default_rng(seed)
    kept = list(_load(files[:crops], folder))
    places = [kept[k % len(kept)] for k in range(crops)]
    return {
        f"{name}-{k // len(kept)}": random_crop(image, size, random)
        for k, (name, image) in enumerate(places)
    }


def random_crop(image: Tensor, size: int, random: np.random.Generator) -> Tensor:
    """A square of (c, h, w) at a random place, shrunk by a random factor to ``size``."""
    largest = min(image.shape[-2:]) / size
    low, high = (min(factor, max(largest, 1.0)) for factor in SHRINK)
    side = round(size * float(np.exp(random.uniform(np.log(low), np.log(high)))))
    top, left = (int(random.integers(max(length - side, 0) + 1)) for length in image.shape[-2:])
    return crop_and_shrink(image[:, top : top + side, left : left + side], size)


def _load(files: Sequence[Path], folder: Path) -> Iterable[tuple[str, Tensor]]:
    names = names_of(files, folder)
    for file in files:
        image = load_image(file)
        refuse_held_out(image, file.name)
        yield names[file], image


def require_kind(images: Mapping[str, Tensor], prior: Prior, task: str) -> None:
    """Raise ``ValueError`` where images are real and ``prior``, of ``task``, knows complex ones.

    Or the other way round.
    """
    kinds = {False: "real", True: "complex"}
    for name, image in images.items():
        if image.is_complex() != prior.complex:
            raise ValueError(
                f"the images must be {kinds[prior.complex]} for the prior of task {task!r}, "
                f"got {name!r}, which is {kinds[image.is_complex()]}: give others, or other "
                "--tasks"
            )
