"""Decreasing noise levels for samplers, in float64, as plain Python numbers."""

from __future__ import annotations

import numpy as np

from invscore.priors.base import Prior

DDPM_BETAS = np.linspace(1e-4, 0.02, 1000)


def known(prior: Prior, level: float) -> float:
    """``level``, a default, or the nearest one that the prior knows."""
    return float(min(max(level, prior.sigma_min), prior.sigma_max))


def of_pixel(prior: Prior, deviations: float) -> float:
    """Level of so many pixel deviations under ``prior``, or the nearest that it knows."""
    return known(prior, deviations * prior.variance**0.5)


def widest(prior: Prior) -> float:
    """Where samplers start from noise: 20 deviations of a pixel hide all but the mean of an image.
    (EDM's 160 hide even the mean of a large image; ours start at a guess.)"""
    return of_pixel(prior, 20.0)


def wide(prior: Prior) -> float:
    """First level of samplers of a conditioned denoiser: 4 deviations of a pixel hide pixels."""
    return of_pixel(prior, 4.0)


def guessed(prior: Prior) -> float:
    """Where samplers start that trust their first guess: 2 deviations of a pixel hide what a guess
    does not know."""
    return of_pixel(prior, 2.0)


def smoothing(prior: Prior) -> float:
    """The noise that smooths the density for chains and proximal steps: 0.1 deviations of a pixel,
    0.025 in photographs."""
    return of_pixel(prior, 0.1)


def fine(prior: Prior) -> float:
    """Where samplers of few steps and plug-and-play methods stop: 0.04 deviations of a pixel, 0.01
    in photographs."""
    return of_pixel(prior, 0.04)


def finest(prior: Prior) -> float:
    """Where samplers of many steps stop: 0.008 deviations of a pixel, 0.002 in photographs."""
    return of_pixel(prior, 0.008)


def geometric(steps: int, high: float, low: float) -> list[float]:
    """``steps`` levels from ``high`` to ``low``, equally spaced in ln(sigma)."""
    return [float(sigma) for sigma in np.geomspace(high, low, steps)]


def annealed(
    prior: Prior, steps: int, high: float | None = None, low: float | None = None
) -> list[float]:
    """``steps`` geometric levels of plug-and-play methods, which start at a first guess: from 0.8
    to 0.04 standard deviations of a pixel unless others are given, within what the prior knows."""
    high = of_pixel(prior, 0.8) if high is None else high
    low = fine(prior) if low is None else low
    return geometric(steps, high, low)


def karras(steps: int, high: float, low: float, rho: float = 7.0) -> list[float]:
    """``steps`` levels from ``high`` to ``low``, equally spaced in sigma^(1/rho), and 0 at the end
    (Karras et al. 2022, Eq. 5)."""
    return [*(np.linspace(high ** (1 / rho), low ** (1 / rho), steps) ** rho).tolist(), 0.0]


def ddpm(steps: int, prior: Prior, high: float) -> list[float]:
    """``steps`` levels from ``high``, equally spaced in the time of DDPM's linear schedule, and 0.

    ``sigma(t) = unit sqrt((1 - abar_t) / abar_t)`` with ``abar_t`` the product of ``1 - beta``,
    beta linear from 1e-4 to 0.02 over 1000 times (Ho et al. 2020, Sec. 4). ``unit`` is that of the
    prior, but no more than 4 standard deviations of a pixel: the last level, 0.01 unit, shall be
    small beside them. It is that at time 1, or the smallest that the prior knows.
    """
    remaining = np.cumprod(1 - DDPM_BETAS)
    unit = min(prior.unit, 4 * prior.variance**0.5)
    sigmas = unit * np.sqrt((1 - remaining) / remaining)
    times = np.arange(1, len(sigmas) + 1)
    start, end = np.interp([high, prior.sigma_min], sigmas, times)
    return [*np.interp(np.linspace(start, end, steps), times, sigmas).tolist(), 0.0]
