"""Diagnosis of a wrong wrapper of a network: other ways to read it, and which of them fits."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from typing import get_args

import torch
from torch import Tensor

from invscore.batches import PerImage
from invscore.priors.base import Prior
from invscore.priors.denoiser import DenoiserPrior, Range
from invscore.priors.diffusion import Diffusion, Predicts

Denoise = Callable[[Tensor, PerImage], Tensor]

FITS = 0.97
"""Largest error of another reading of the network, relative to the present one, for it to be
suggested."""

RANGE_FITS = 0.98
"""The same for another range of pixel values."""

RANGES: tuple[Range, ...] = ((0.0, 1.0), (-1.0, 1.0), (0.0, 255.0))
FACTORS = (1 / 255, 0.25, 0.5, 2**-0.5, 2**0.5, 2.0, 4.0, 255.0)


@torch.no_grad()
def diagnose(prior: Prior, images: Tensor, draws: Sequence[tuple[float, Tensor]]) -> str | None:
    """The reading of ``prior`` with the least error on ``draws``, noise levels and noisy images.

    ``None`` where none is much better than the one there is.
    """
    best, named = FITS * mean_error(prior.denoise, images, draws), None
    for name, denoise in readings(prior):
        found = mean_error(denoise, images, draws)
        if found < best:
            # A further change must be worth its complication.
            best, named = 0.95 * found, name
    return named


@torch.no_grad()
def other_range(
    prior: Prior, images: Tensor, draws: Sequence[tuple[float, Tensor]]
) -> tuple[Range, float] | None:
    """The range that would leave less error than that of ``prior``, and how much of it."""
    if not isinstance(prior, DenoiserPrior) or prior.complex:
        return None
    present = mean_error(prior.denoise, images, draws)
    found = {
        given: mean_error(_with_range(prior, given).denoise, images, draws) / present
        for given in RANGES
        if given != prior.range
    }
    best = min(found, key=lambda given: found[given])
    return (best, found[best]) if found[best] < RANGE_FITS else None


def mean_error(denoise: Denoise, images: Tensor, draws: Sequence[tuple[float, Tensor]]) -> float:
    """The geometric mean over the levels of the squared error: each level has its say."""
    errors = [(denoise(y, sigma) - images).abs().square().mean().log() for sigma, y in draws]
    return float(torch.stack(errors).mean().exp())


def readings(prior: Prior) -> Iterator[tuple[str, Denoise]]:
    """Other denoisers that the same network may be, and how they are called; simple ones first."""
    for factor in FACTORS:
        yield f"sigma is told wrongly: {factor:.3g} times as much would fit", _told(prior, factor)
    yield "the sign of what the network predicts is flipped", _flipped(prior)
    if not isinstance(prior, DenoiserPrior):
        return
    if isinstance(prior.D, Diffusion):
        yield from _other_diffusions(prior, prior.D)
    else:
        D = prior.D
        yield (
            "it gives the noise in its own range, not the image: z - D(z, s) would fit",
            _with_denoiser(prior, lambda z, s: z - D(z, s)).denoise,
        )
        yield (
            "it gives the noise of unit deviation, not the image: z - s D(z, s) would fit",
            _with_denoiser(prior, lambda z, s: z - s.reshape(-1, 1, 1, 1) * D(z, s)).denoise,
        )
    if prior.complex:
        return
    for given in RANGES:
        if given == prior.range:
            continue
        other = _with_range(prior, given)
        yield f"the range is another: range=({given[0]:g}, {given[1]:g}) would fit", other.denoise
        factor = prior.scale / other.scale
        yield (
            f"the range is another, and so is the unit of sigma: range=({given[0]:g}, "
            f"{given[1]:g}) would fit, with {factor:.3g} times the sigma that belongs to it",
            _told(other, factor),
        )


def _other_diffusions(prior: DenoiserPrior, D: Diffusion) -> Iterator[tuple[str, Denoise]]:
    for predicts in get_args(Predicts):
        table = predicts in ("epsilon", "v", "x0", "score")
        if predicts == D.predicts or not (D.preserving and table):
            continue
        other = copy.copy(D)
        other.predicts = predicts
        yield (
            f"the network predicts another quantity: predicts={predicts!r} would fit",
            _with_denoiser(prior, other).denoise,
        )
    if D.time in ("noise", "data"):
        other = copy.copy(D)
        other.time = "data" if D.time == "noise" else "noise"
        yield (
            f"time runs the other way: time={other.time!r} would fit",
            _with_denoiser(prior, other).denoise,
        )
    elif D.time == "index":
        other = copy.copy(D)
        other._buffers = {**D._buffers, "times": D.times.flip(0)}
        yield "time runs the other way", _with_denoiser(prior, other).denoise


def _told(prior: Prior, factor: float) -> Denoise:
    return lambda y, sigma: prior.denoise(y, factor * sigma)


def _flipped(prior: Prior) -> Denoise:
    return lambda y, sigma: 2 * y - prior.denoise(y, sigma)


def _with_range(prior: DenoiserPrior, given: Range) -> DenoiserPrior:
    other = copy.copy(prior)
    other.range = given
    factor = prior.scale / other.scale
    other.sigma_min, other.sigma_max = factor * prior.sigma_min, factor * prior.sigma_max
    return other


def _with_denoiser(prior: DenoiserPrior, D: Callable[[Tensor, Tensor], Tensor]) -> DenoiserPrior:
    other = copy.copy(prior)
    other._modules = {name: module for name, module in prior._modules.items() if name != "D"}
    other.__dict__.pop("D", None)
    other.D = D
    return other
