"""A prior of colour images, for gray ones."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from invscore.batches import PerImage, per_image
from invscore.priors.base import Prior


class Grayscale(Prior):
    """Gray images (b, 1, h, w) as the C equal channels of colour images, which ``prior`` knows.

    A gray image with noise of level sigma is the mean of C channels whose noise has ``sqrt(C)
    sigma`` each. So the rest of that noise, what the channels differ by, is added, and the mean of
    the denoised channels is taken: a network which is shown equal channels instead finds less noise
    than it is told of, and loses decibels. What is added is the same at every call.

    Raises ``ValueError`` for a prior of complex images or of one channel.

    >>> from invscore import load_prior
    >>> from invscore.priors import Grayscale
    >>> gray = Grayscale(load_prior("photos"))
    >>> gray.channels
    1
    """

    channels: int

    def __init__(self, prior: Prior) -> None:
        if prior.complex or prior.channels is None or prior.channels < 2:
            raise ValueError(
                f"`prior` must be one of real images of several channels, got a "
                f"{type(prior).__name__} of {prior.channels}"
            )
        self.prior = prior
        self._take_after(prior)
        self.channels, self.colours = 1, prior.channels
        if isinstance(prior.mean, Tensor):
            self.mean = prior.mean.mean(dim=0, keepdim=True)
        self.has_density = False
        self.sigma_min, self.sigma_max = (
            level / math.sqrt(self.colours) for level in (prior.sigma_min, prior.sigma_max)
        )
        self._drawn: dict[tuple[int, ...], Tensor] = {}

    def denoise(self, x: Tensor, sigma: PerImage) -> Tensor:
        if x.ndim != 4 or x.shape[1] != 1:
            raise ValueError(f"the images must be (b, 1, h, w), got {tuple(x.shape)}")
        level = math.sqrt(self.colours) * per_image(sigma, x)
        shown = x + level * self._differences(x)
        told = level if level.ndim == 0 else level.flatten()
        return self.prior.denoise(shown, told).mean(dim=1, keepdim=True)

    def _differences(self, x: Tensor) -> Tensor:
        """Unit noise in every channel without its mean over them, (1, C, h, w)."""
        shape = (1, self.colours, *x.shape[2:])
        if shape not in self._drawn:
            noise = torch.randn(shape, generator=torch.Generator().manual_seed(0))
            self._drawn[shape] = noise - noise.mean(dim=1, keepdim=True)
        return self._drawn[shape].to(x)
