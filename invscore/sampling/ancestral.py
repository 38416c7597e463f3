"""Ancestral sampling and its deterministic relative, on DDPM's noise levels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from torch import Tensor

from invscore.options.ranges import Share
from invscore.processes import Denoiser
from invscore.rng import SampleRNG
from invscore.sampling.base import ddpm as ddpm_levels
from invscore.sampling.base import register
from invscore.sampling.steps import ddim_step


@register("ddim", steps=50, spacing=ddpm_levels, cites="Song, Meng & Ermon 2021, Eq. 12")
def ddim(
    denoise: Denoiser, x: Tensor, sigmas: Sequence[float], rng: SampleRNG, *, eta: Share = 0.0
) -> Iterator[Tensor]:
    """Denoising diffusion implicit models: to the next level with part of the noise kept.

    ``eta``: share of fresh noise, from 0 (deterministic: Euler's method on the probability flow)
    to 1 (ancestral).

    After the example of ``invscore.sampling``:

    >>> from invscore.sampling import ddim
    >>> *_, last = ddim(prior.denoise, x, sigmas, rng)
    >>> bool(abs(last.std() - 0.2) < 0.02)
    True
    """
    for sigma, lower in pairwise(sigmas):
        x = ddim_step(x, denoise(x, sigma), sigma, lower, eta, rng)
        yield x


@register("ddpm", steps=1000, spacing=ddpm_levels, cites="Ho et al. 2020, Algorithm 2")
def ddpm(denoise: Denoiser, x: Tensor, sigmas: Sequence[float], rng: SampleRNG) -> Iterator[Tensor]:
    """Ancestral sampling: the posterior of the next level given this one and x0 = D(x).

    Its variance is the smaller of the paper's two, exact where x0 is known.

    After the example of ``invscore.sampling``:

    >>> from invscore.sampling import ddpm
    >>> *_, last = ddpm(prior.denoise, x, sigmas, rng)
    >>> bool(abs(last.std() - 0.2) < 0.06)
    True
    """
    return ddim(denoise, x, sigmas, rng, eta=1.0)
