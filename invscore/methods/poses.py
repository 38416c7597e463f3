"""The denoiser asked about images in changing poses: what it gets wrong in one, it averages out."""

from __future__ import annotations

from itertools import count

import torch
from torch import Tensor

from invscore.priors.base import Level, Prior
from invscore.rng import SampleRNG

SQUARE = tuple(range(8))
OBLONG = (0, 1, 4, 5)
"""Poses that leave the shape of an oblong image as it is."""


class PosedDenoiser:
    """D of a ``symmetric`` prior, for each image in another of its eight poses at each call.

    The law of such images is the same in every pose, and so is the true D; a network's is so but
    for errors, which differ from pose to pose. Asked in all of them over the levels and the samples
    of a run, they partly cancel (Terris et al. 2024, "Equivariant plug-and-play image
    reconstruction"; they draw the pose, here each has its turn), at no further evaluation.
    The first number of a stream's key, ``seed + sample`` in the driver, says which pose is the
    first, in any batch. Other priors are asked about the images as they are.
    """

    def __init__(self, prior: Prior, rng: SampleRNG) -> None:
        self._prior = prior
        self._first = [key[0] for key in rng.keys]
        self._calls = count()

    def __call__(self, x: Tensor, sigma: Level) -> Tensor:
        if not self._prior.symmetric:
            return self._prior.denoise(x, sigma)
        allowed = SQUARE if x.shape[-2] == x.shape[-1] else OBLONG
        past = 3 * next(self._calls)  # coprime to both numbers of poses: all of them come
        poses = [allowed[(first + past) % len(allowed)] for first in self._first]
        posed = torch.stack([turned(image, pose) for image, pose in zip(x, poses, strict=True)])
        denoised = self._prior.denoise(posed, sigma)
        return torch.stack([turned_back(d, pose) for d, pose in zip(denoised, poses, strict=True)])


def turned(image: Tensor, pose: int) -> Tensor:
    """``image`` (\\*, h, w) by ``pose // 2`` quarter turns, then mirrored where ``pose`` is odd."""
    quarters = torch.rot90(image, pose // 2, (-2, -1))
    return quarters.flip(-1) if pose % 2 else quarters


def turned_back(image: Tensor, pose: int) -> Tensor:
    """The image of which ``image`` is the one ``turned``."""
    return torch.rot90(image.flip(-1) if pose % 2 else image, -(pose // 2), (-2, -1))
