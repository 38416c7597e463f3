"""A prior of gray images for the many bands of a spectral image, which are alike."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from invscore.batches import PerImage
from invscore.priors.base import Prior
from invscore.priors.channelwise import Channelwise, _split

CHROMA = 0.4
"""Standard deviation of the first difference between bands relative to their mean; that of the k-th
is divided by k."""


class Multiband(Channelwise):
    """Bands (b, c, h, w) whose discrete cosine transform has images of ``prior``, (b, 1, h, w).

    Spectra of scenes are smooth: what bands have in common is most of their energy, and the k-th
    cosine over the bands has less of it, by ``CHROMA / k`` in amplitude (as principal components of
    natural spectra do, Chakrabarti & Zickler 2011). The transform is orthonormal, so that white
    noise stays white: the mean of the bands is denoised as an image with ``sigma / sqrt(c)``, each
    difference as one of less contrast about the prior's mean. Raises ``ValueError`` as
    ``Channelwise`` does.

        >>> import torch
        >>> from invscore.priors import Multiband, load_prior
        >>> prior = Multiband(load_prior("photos-gray"), bands=9)
        >>> prior.denoise(torch.rand(1, 9, 16, 16), 0.2).shape
        torch.Size([1, 9, 16, 16])
    """

    def __init__(self, prior: Prior, bands: int) -> None:
        if bands < 1:
            raise ValueError(f"`bands` must be at least 1, got {bands}")
        super().__init__(prior)
        if isinstance(prior.mean, Tensor):
            raise ValueError("`prior` must have one number as its mean, got an image")
        self.noise_kinds = frozenset()
        self.has_density = False
        k = torch.arange(bands, dtype=torch.float64)
        basis = torch.cos(math.pi / bands * k[:, None] * (k + 0.5)) * math.sqrt(2 / bands)
        basis[0] /= math.sqrt(2)
        amplitude = math.sqrt(bands) * torch.where(k > 0, CHROMA / k.clamp_min(1), 1.0)
        self.basis, self.amplitude = basis, amplitude
        self.channels = bands
        self.variance = prior.variance * float(amplitude.square().mean())

    def denoise(self, x: Tensor, sigma: PerImage) -> Tensor:
        gray, levels = self._gray(x, sigma)
        return self._bands(self.prior.denoise(gray, levels), x)

    def score(self, x: Tensor, sigma: PerImage) -> Tensor:
        return Prior.score(self, x, sigma)

    def log_density(self, x: Tensor, sigma: PerImage) -> Tensor:
        return Prior.log_density(self, x, sigma)

    def pullback(self, x: Tensor, sigma: PerImage) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
        gray, levels = self._gray(x, sigma)
        denoised, pull = self.prior.pullback(gray, levels)
        amplitude = self.amplitude.to(x).repeat(len(x))[:, None, None, None]

        def pulled(u: Tensor) -> Tensor:
            coefficients = self._mixed(self.basis, u).flatten(0, 1)[:, None]
            back = pull(amplitude * coefficients) / amplitude
            return self._mixed(self.basis.T, back[:, 0].reshape(u.shape))

        return self._bands(denoised, x), pulled

    def _gray(self, x: Tensor, sigma: PerImage) -> tuple[Tensor, Tensor]:
        """Coefficients as images of the prior, (b c, 1, h, w), and their levels."""
        images, levels = _split(self._mixed(self.basis, x), sigma)
        amplitude = self.amplitude.to(x).repeat(len(x))
        shift = float(self.prior.mean) * x.new_ones(x.shape[1])
        shift[0] = 0
        shift = shift.repeat(len(x))[:, None, None, None]
        level = torch.as_tensor(levels, dtype=x.dtype, device=x.device) / amplitude
        return images / amplitude[:, None, None, None] + shift, level

    def _bands(self, gray: Tensor, like: Tensor) -> Tensor:
        mean = float(self.prior.mean)
        coefficients = gray[:, 0].reshape(like.shape).clone()
        coefficients[:, 1:] -= mean
        amplitude = self.amplitude.to(like)[:, None, None]
        return self._mixed(self.basis.T, amplitude * coefficients)

    @staticmethod
    def _mixed(matrix: Tensor, x: Tensor) -> Tensor:
        if x.ndim != 4 or x.is_complex() or x.shape[1] != len(matrix):
            raise ValueError(
                f"the images must be real ones (b, {len(matrix)}, h, w) for a multiband prior, got "
                f"{tuple(x.shape)}, {x.dtype}"
            )
        return torch.einsum("kc,bchw->bkhw", matrix.to(x), x)
