"""Images that no prior of ours was trained or tuned on: on these, priors and methods are judged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from invscore.bench import brain
from invscore.images import crop_and_shrink, load_image, to_gray

HELD_OUT = ("astronaut", "camera", "chelsea", "coffee", "coins", "motorcycle_left", "rocket")
"""Photographs of scikit-image."""
IN_COLOUR = ("astronaut", "chelsea", "coffee", "motorcycle_left", "rocket")
SIZE = 256


@dataclass(frozen=True)
class Collection:
    """Images by name; ``load(name, size)`` gives (c, size, size)."""

    names: tuple[str, ...]
    load: Callable[[str, int], Tensor]
    complex_valued: bool = False


def photograph(name: str, size: int = SIZE) -> Tensor:
    """The middle of a photograph, its shorter side shrunk to ``size`` pixels: (1 or 3, h, w)."""
    return crop_and_shrink(load_image(name), size)


def gray_photograph(name: str, size: int = SIZE) -> Tensor:
    """The luminance of ``photograph``: (1, h, w)."""
    return to_gray(photograph(name, size))


def small_brain_slice(name: str, size: int) -> Tensor:
    """The middle of a slice, complex (1, h, w), its shorter side shrunk to ``size``.

    A slice whose shorter side has fewer pixels stays whole.
    """
    image = brain.brain_slice(name)
    return image if size >= min(image.shape[-2:]) else crop_and_shrink(image, size)


COLLECTIONS = {
    "gray": Collection(HELD_OUT, gray_photograph),
    "colour": Collection(IN_COLOUR, photograph),
    "brain": Collection(brain.NAMES, small_brain_slice, complex_valued=True),
}


def choose_collection(channels: int | None, *, complex_valued: bool) -> str:
    """The name of the collection that fits a prior of such images.

    Raises ``ValueError`` where there is none.
    """
    names = {(1, False): "gray", (3, False): "colour", (1, True): "brain"}
    name = None if channels is None else names.get((channels, complex_valued))
    if name is None:
        raise ValueError(
            "the prior must know real images of 1 or 3 channels, or complex ones of 1, got "
            f"{'complex' if complex_valued else 'real'} ones of {channels}"
        )
    return name
