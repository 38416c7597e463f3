"""An equivariant denoiser: evaluated at rotated and mirrored images, whose errors average out."""

from __future__ import annotations

from itertools import count

import torch
from torch import Tensor

from invscore.batches import PerImage
from invscore.priors.base import Prior
from invscore.rng import SampleRNG

SQUARE = tuple(range(8))
OBLONG = (0, 1, 4, 5)
"""Symmetries that keep the shape of an oblong image."""


class EquivariantDenoiser:
    """D of a ``symmetric`` prior, evaluated at another of an image's eight symmetries at each call.

    The law of such images is the same under quarter turns and mirroring, and so is the true D; a
    network's is so but for errors, which differ. Evaluated at all symmetries over the levels and
    the samples of a run, they partly cancel (Terris et al. 2024, "Equivariant plug-and-play image
    reconstruction"; they draw the symmetry, here each has its turn), at no further evaluation. The
    first number of a stream's key, ``seed + sample`` in the driver, says which symmetry is the
    first, in any batch. Other priors are evaluated at the images as they are.
    """

    def __init__(self, prior: Prior, rng: SampleRNG) -> None:
        self._prior = prior
        self._first = [key[0] for key in rng.keys]
        self._calls = count()

    def __call__(self, x: Tensor, sigma: PerImage) -> Tensor:
        if not self._prior.symmetric:
            return self._prior.denoise(x, sigma)
        allowed = SQUARE if x.shape[-2] == x.shape[-1] else OBLONG
        past = 3 * next(self._calls)  # coprime to both numbers of symmetries: all of them come
        symmetries = [allowed[(first + past) % len(allowed)] for first in self._first]
        pairs = zip(x, symmetries, strict=True)
        denoised = self._prior.denoise(torch.stack([transformed(*pair) for pair in pairs]), sigma)
        pairs = zip(denoised, symmetries, strict=True)
        return torch.stack([transformed_back(*pair) for pair in pairs])


def transformed(image: Tensor, symmetry: int) -> Tensor:
    """``image`` (\\*, h, w) after ``symmetry // 2`` quarter turns, mirrored if ``symmetry`` is
    odd."""
    quarters = torch.rot90(image, symmetry // 2, (-2, -1))
    return quarters.flip(-1) if symmetry % 2 else quarters


def transformed_back(image: Tensor, symmetry: int) -> Tensor:
    """The image of which ``image`` is the one ``transformed``."""
    return torch.rot90(image.flip(-1) if symmetry % 2 else image, -(symmetry // 2), (-2, -1))
