"""A prior of images, for volumes: slices along each axis are images of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from invscore.batches import PerImage
from invscore.priors.base import Prior

PLANES = ("hw", "dw", "dh")
"""The planes in which a volume (c, d, h, w) is cut: across d, h and w."""

ACROSS = {"hw": 2, "dw": 3, "dh": 4}
"""The axis of a batch (b, c, d, h, w) along which slices of a plane lie."""

TOGETHER = 2**18
"""Pixels of slices that are evaluated together, so that memory does not grow with the depth."""


@dataclass(frozen=True)
class _Group:
    """Slices of one plane that are evaluated at once: ``first`` to ``last`` along ``axis``."""

    axis: int
    first: int
    last: int

    def of(self, x: Tensor) -> Tensor:
        """These slices of volumes (b, c, d, h, w), as images (b n, c, \\*plane)."""
        part = x.narrow(self.axis, self.first, self.last - self.first)
        return part.movedim(self.axis, 1).flatten(0, 1)

    def back(self, images: Tensor) -> Tensor:
        """The part of volumes that ``of`` has made images of."""
        slices = images.reshape(-1, self.last - self.first, *images.shape[1:])
        return slices.movedim(1, self.axis)


class VolumePrior(Prior):
    """Volumes (b, c, d, h, w) whose slices in each of the ``planes`` are images of ``prior``.

    D is the mean over the planes of what ``prior`` makes of the slices in them, so that the score
    is the mean of their scores: the product of experts of Lee et al. 2023 ("Improving 3D imaging
    with pre-trained perpendicular 2D diffusion models", Eq. 8, there a plane by chance at each
    step). Slices are consistent with one another, as each voxel lies in one of every plane, and
    errors that differ between planes average out. It is no exact model of volumes: less noise is
    removed than slices across one another would let a prior of volumes remove. With ``planes``
    ``("hw",)`` slices are independent images.

    ``planes``: of ``"hw"``, ``"dw"`` and ``"dh"``; where slices are far apart, those across them
    look like no image, and ``("hw",)`` is better. ``together``: slices evaluated at once (default:
    as many as hold 2^18 pixels); a pullback evaluates each group once more and keeps no more than
    one group's derivatives. Raises ``ValueError`` for other planes and for ``together`` below 1.

        >>> import torch
        >>> from invscore.priors import StationaryGaussianPrior, VolumePrior
        >>> prior = VolumePrior(StationaryGaussianPrior.power_law((1, 8, 8)))
        >>> prior.denoise(torch.zeros(1, 1, 8, 8, 8), 0.1).shape
        torch.Size([1, 1, 8, 8, 8])
    """

    def __init__(
        self, prior: Prior, planes: Sequence[str] = PLANES, together: int | None = None
    ) -> None:
        planes = tuple(planes)
        if not planes or len(set(planes)) < len(planes) or not set(planes) <= set(PLANES):
            raise ValueError(f"`planes` must be some of {', '.join(PLANES)}, got {planes}")
        if together is not None and together < 1:
            raise ValueError(f"`together` must be at least 1 slice, got {together}")
        self.prior, self.planes, self.together = prior, planes, together
        self._take_after(prior)
        mean = prior.mean
        self.mean = mean[:, None] if isinstance(mean, Tensor) and mean.ndim == 3 else mean
        self.symmetric = prior.symmetric and (("dw" in planes) == ("dh" in planes))
        self.has_density, self.detail = False, None
        self.channels, self.complex, self.metadata = prior.channels, prior.complex, prior.metadata

    def denoise(self, x: Tensor, sigma: PerImage) -> Tensor:
        total = torch.zeros_like(x)
        for group in self._groups(x):
            denoised = self.prior.denoise(group.of(x), _levels(sigma, group))
            total = _added(total, group, denoised / len(self.planes))
        return total

    def pullback(self, x: Tensor, sigma: PerImage) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
        with torch.no_grad():
            denoised = self.denoise(x, sigma)

        def pull(u: Tensor) -> Tensor:
            total = torch.zeros_like(u)
            for group in self._groups(x):
                back = self.prior.pullback(group.of(x), _levels(sigma, group))[1]
                total = _added(total, group, back(group.of(u) / len(self.planes)))
            return total

        return denoised, pull

    def _groups(self, x: Tensor) -> Iterator[_Group]:
        if x.ndim != 5:
            raise ValueError(
                f"the images must be volumes (b, c, d, h, w) for this prior, got {tuple(x.shape)}"
            )
        for plane in self.planes:
            axis = ACROSS[plane]
            length = x.shape[axis]
            each = x.numel() // length
            size = self.together or max(1, TOGETHER // each)
            for first in range(0, length, size):
                yield _Group(axis, first, min(first + size, length))


def _levels(sigma: PerImage, group: _Group) -> PerImage:
    """The level of each slice of a group."""
    level = torch.as_tensor(sigma)
    return level.repeat_interleave(group.last - group.first) if level.ndim else sigma


def _added(total: Tensor, group: _Group, images: Tensor) -> Tensor:
    """``total`` and the slices of a group, in place but where autograd keeps what it was."""
    if torch.is_grad_enabled():
        total = total.clone()
    total.narrow(group.axis, group.first, group.last - group.first).add_(group.back(images))
    return total
