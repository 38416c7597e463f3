"""Images to test a prior on where nobody has any: drawn from the prior itself."""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor

from invscore import levels
from invscore.hardware import memory
from invscore.priors.base import Prior

SIDE = 64
"""Side in pixels of the images that are drawn, where the prior takes any size."""

STEPS = 18

FINEST = 0.01
"""Noise level at which drawing ends: images are smooth below."""

COPIES = 16
"""Least number of arrays of the size of an image that a network takes."""


@torch.no_grad()
def own_images(prior: Prior, count: int = 3, *, steps: int = STEPS, seed: int = 0) -> Tensor | None:
    """Images (count, c, h, w) in few deterministic steps, like those of the prior, if not as good.

    ``None`` where its levels end too early to draw any: it is a denoiser and no model of images.
    """
    if prior.sigma_max < 4 * prior.variance**0.5 or prior.channels is None:
        return None
    shape = tuple(prior.metadata.get("shape", (prior.channels, SIDE, SIDE)))
    needed = COPIES * memory.FLOAT * count * math.prod(shape)
    memory.require(needed, f"an image of {' x '.join(map(str, shape[-2:]))} pixels")
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(count, *shape, 2, generator=generator)
    x = torch.view_as_complex(noise) if prior.complex else noise[..., 0].contiguous()
    weight = next(iter(getattr(prior, "parameters", list)()), x)
    x = x.to(weight.device)
    sigmas = levels.karras(steps, levels.widest(prior), max(prior.sigma_min, FINEST))
    x = prior.mean + sigmas[0] * x
    for sigma, lower in pairwise(sigmas):
        denoised = prior.denoise(x, sigma)
        x = denoised + lower / sigma * (x - denoised)
    return x
