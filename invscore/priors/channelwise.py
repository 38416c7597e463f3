"""A prior of one-channel images, applied to each channel of an image."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from invscore.batches import PerImage
from invscore.priors.base import Prior
from invscore.priors.noise_covariance import NoiseCovariance


class Channelwise(Prior):
    """Channels (b, c, h, w) that are independent draws of ``prior``, which takes (b, 1, h, w).

    Real images only: whether the parts of a complex image are independent is for the user to
    say. Raises ``ValueError`` for a complex image or one that is not (b, c, h, w).

    >>> import torch
    >>> from invscore import GaussianPrior
    >>> from invscore.priors import Channelwise
    >>> gray = GaussianPrior(torch.full((1, 4, 4), 0.5), 0.04)
    >>> Channelwise(gray).denoise(torch.rand(2, 3, 4, 4), 0.1).shape
    torch.Size([2, 3, 4, 4])
    """

    def __init__(self, prior: Prior) -> None:
        self.prior = prior
        self._take_after(prior)
        self.noise_kinds = prior.noise_kinds - {"matrix"}

    def denoise(self, x: Tensor, sigma: PerImage) -> Tensor:
        return self.prior.denoise(*_split(x, sigma)).reshape(x.shape)

    def denoise_with(self, x: Tensor, noise: NoiseCovariance) -> Tensor:
        if noise.basis.kind not in self.noise_kinds:
            return super().denoise_with(x, noise)
        variances = noise.variances.expand(x.shape)
        channels, apart = (_split(images, 1.0)[0] for images in (x, variances))
        return self.prior.denoise_with(channels, replace(noise, variances=apart)).reshape(x.shape)

    def score(self, x: Tensor, sigma: PerImage) -> Tensor:
        return self.prior.score(*_split(x, sigma)).reshape(x.shape)

    def log_density(self, x: Tensor, sigma: PerImage) -> Tensor:
        return self.prior.log_density(*_split(x, sigma)).reshape(x.shape[:2]).sum(dim=1)

    def pullback(self, x: Tensor, sigma: PerImage) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
        channels, levels = _split(x, sigma)
        denoised, pull = self.prior.pullback(channels, levels)
        return denoised.reshape(x.shape), lambda u: pull(u.reshape(channels.shape)).reshape(u.shape)


def _split(x: Tensor, sigma: PerImage) -> tuple[Tensor, PerImage]:
    """Channels as a batch, (b c, 1, h, w), and the noise level of each."""
    if x.ndim != 4 or x.is_complex():
        raise ValueError(
            "the images must be real ones (b, c, h, w) for a channelwise prior, got "
            f"{tuple(x.shape)}, {x.dtype}"
        )
    level = torch.as_tensor(sigma)
    if level.ndim and level.shape != x.shape[:1]:
        raise ValueError(
            f"`sigma` must be a number or of shape ({len(x)},), got the shape {tuple(level.shape)}"
        )
    repeated = level.repeat_interleave(x.shape[1]) if level.ndim else sigma
    return x.flatten(0, 1)[:, None], repeated
