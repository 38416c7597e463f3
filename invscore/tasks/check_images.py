"""Images of a prior's kind, to test it on: a folder's, its own, or photographs."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from invscore.images import crop_and_shrink, load_image, to_gray
from invscore.priors.base import Prior
from invscore.priors.own_images import SIDE, own_images
from invscore.tasks.folder import images_in

COUNT = 4
LARGEST = 128
PHOTOGRAPHS = ("camera", "coffee", "astronaut", "chelsea")


def images_for_check(prior: Prior, folder: Path | None) -> tuple[Tensor, str]:
    """Images (n, c, h, w) that ``prior`` takes, and how they are called.

    At most eight of ``folder``, those of the largest common square up to 128 pixels; without one,
    images drawn from the prior, or photographs where its levels end too early to draw any.

    Raises ``ValueError`` where there are no images that it takes.
    """
    if folder is not None:
        files = images_in(folder)[: 2 * COUNT]
        return _fitted(prior, [load_image(file) for file in files]), f"{len(files)} of {folder}"
    drawn = own_images(prior, COUNT)
    if drawn is not None:
        return drawn, "images of its own: clean ones of the user's, --images, tell more"
    if prior.complex or prior.channels not in (1, 3, None):
        raise ValueError("`--images` must be given: the prior's levels end too early to draw any")
    loaded = [load_image(name) for name in PHOTOGRAPHS]
    return _fitted(prior, loaded), f"{len(loaded)} photographs"


def _fitted(prior: Prior, images: list[Tensor]) -> Tensor:
    """Squares of the channels and, where there is one, of the size that the prior takes."""
    known = prior.metadata.get("shape")
    side = min(min(image.shape[-2:]) for image in images)
    size = known[-1] if known else min(side, LARGEST if len(images) > COUNT else SIDE)
    if size > side:
        raise ValueError(f"`--images` must have at least {size} x {size} pixels, got {side}")
    weight = next(iter(getattr(prior, "parameters", list)()), images[0])
    shown = [crop_and_shrink(_in_channels(image, prior), size) for image in images]
    return torch.stack(shown).to(weight.device)


def _in_channels(image: Tensor, prior: Prior) -> Tensor:
    if image.is_complex() != prior.complex:
        kind = "complex" if prior.complex else "real"
        raise ValueError(f"`--images` must be {kind}, as the prior's are")
    if prior.channels in (None, len(image)):
        return image
    if prior.channels == 1 and len(image) == 3:
        return to_gray(image)
    if prior.channels == 3 and len(image) == 1:
        return image.expand(3, -1, -1)
    raise ValueError(f"`--images` must have {prior.channels} channels, got {len(image)}")
