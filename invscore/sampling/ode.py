"""The probability flow, ``dx/dsigma = (x - D(x, sigma)) / sigma``, by steps of given sizes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise

from torch import Tensor

from invscore.processes import Denoiser
from invscore.rng import SampleRNG
from invscore.sampling.base import karras, register


@register("euler", steps=40, spacing=karras, cites="Karras et al. 2022, Eq. 1")
def euler(
    denoise: Denoiser,
    x: Tensor,
    sigmas: Sequence[float],
    rng: SampleRNG,  # noqa: ARG001
) -> Iterator[Tensor]:
    """Euler's method on the probability flow, of order 1, one evaluation a step.

    After the example of ``invscore.sampling``:

    >>> from invscore.sampling import euler
    >>> *_, last = euler(prior.denoise, x, sigmas, rng)
    >>> bool(abs(last.std() - 0.2) < 0.06)
    True
    """
    for sigma, lower in pairwise(sigmas):
        slope = (x - denoise(x, sigma)) / sigma
        x = x + (lower - sigma) * slope
        yield x


@register("heun", steps=20, spacing=karras, cites="Karras et al. 2022, Algorithm 1", evaluations=2)
def heun(
    denoise: Denoiser,
    x: Tensor,
    sigmas: Sequence[float],
    rng: SampleRNG,  # noqa: ARG001
) -> Iterator[Tensor]:
    """Heun's method on the probability flow, of order 2, two evaluations a step but the last.

    After the example of ``invscore.sampling``:

    >>> from invscore.sampling import heun
    >>> *_, last = heun(prior.denoise, x, sigmas, rng)
    >>> bool(abs(last.std() - 0.2) < 0.02)
    True
    """
    for sigma, lower in pairwise(sigmas):
        slope = (x - denoise(x, sigma)) / sigma
        stepped = x + (lower - sigma) * slope
        if lower > 0:
            ahead = (stepped - denoise(stepped, lower)) / lower
            stepped = x + (lower - sigma) * (slope + ahead) / 2
        x = stepped
        yield x


@register("dpm++2m", steps=20, spacing=karras, cites="Lu et al. 2022 (DPM-Solver++), Algorithm 2")
def dpm_solver(
    denoise: Denoiser,
    x: Tensor,
    sigmas: Sequence[float],
    rng: SampleRNG,  # noqa: ARG001
) -> Iterator[Tensor]:
    """DPM-Solver++(2M): D extrapolated in ln(sigma) from two levels, of order 2, one evaluation
    a step.

    With D constant over a step the flow is solved exactly: ``lower / sigma x + (1 - lower / sigma)
    D``. The line through the last two D gives its value in the middle of the step. The first step
    has one D only, and one to sigma = 0, infinitely far in ln(sigma), must not extrapolate.

    After the example of ``invscore.sampling``:

    >>> from invscore.sampling import dpm_solver
    >>> *_, last = dpm_solver(prior.denoise, x, sigmas, rng)
    >>> bool(abs(last.std() - 0.2) < 0.02)
    True
    """
    older: tuple[float, Tensor] | None = None
    for sigma, lower in pairwise(sigmas):
        denoised = middle = denoise(x, sigma)
        if older is not None and lower > 0:
            before, was = older
            share = math.log(sigma / lower) / math.log(before / sigma) / 2
            middle = denoised + share * (denoised - was)
        older = sigma, denoised
        x = middle + lower / sigma * (x - middle)
        yield x
