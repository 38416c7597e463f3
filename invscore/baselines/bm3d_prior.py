"""BM3D, the best known denoiser without learning, as a prior.

The package ``bm3d`` 4.0 with its profile ``np``; noise levels are standard deviations in the units
of the image, the same in every channel.
"""

from __future__ import annotations

import torch
from torch import Tensor

from invscore.baselines.base import require_package
from invscore.batches import PerImage, per_image
from invscore.priors.base import Prior


class Bm3dPrior(Prior):
    """BM3D in the place of a learned denoiser, for images (c, h, w), real or complex.

    Three channels are taken for colours and denoised in BM3D's opponent space; any other number of
    channels, and real and imaginary parts, each for itself. Raises ``ValueError`` where ``bm3d`` is
    not installed.
    """

    mean = 0.5
    variance = 0.25**2
    peak = 1.0
    sigma_min = 1e-3

    def __init__(self) -> None:
        require_package("bm3d", "the prior Bm3dPrior")

    def denoise(self, x: Tensor, sigma: PerImage) -> Tensor:
        levels = per_image(sigma, x).expand(len(x), *[1] * (x.ndim - 1)).flatten().tolist()
        return torch.stack([denoised(*pair) for pair in zip(x, levels, strict=True)])


def denoised(noisy: Tensor, sigma: float) -> Tensor:
    """The image ``noisy``, (c, h, w), without its noise of deviation ``sigma``."""
    from bm3d import bm3d, bm3d_rgb

    if noisy.is_complex():
        return torch.complex(denoised(noisy.real, sigma), denoised(noisy.imag, sigma))
    array = noisy.cpu().numpy()
    if len(array) == 3:
        found = torch.from_numpy(bm3d_rgb(array.transpose(1, 2, 0), sigma)).movedim(2, 0)
    else:
        found = torch.stack([torch.from_numpy(bm3d(channel, sigma)) for channel in array])
    return found.to(noisy)
