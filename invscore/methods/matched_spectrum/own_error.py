"""Excess error of a denoiser on a sampler's own draws over what its response to noise tells."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from invscore.methods.gaussian_field.frequency_bands import FrequencyBands

TINY = 1e-30


class OwnError:
    """The variances of draws where y says nothing: no less than D errs at the draw before.

    Draws of a field are not quite like the images that D knows: it takes more of them for noise,
    and errs more on them than ``sigma^2 J``. Where nothing brings detail back, draws that spread by
    ``sigma^2 J`` lose power from level to level. The error of D at the draw that x was made from is
    seen: less its standard error, it is the least that draws spread by, in each band of
    frequencies. Its ratio to what is told changes little from level to level: earlier ones count as
    (sigma / earlier sigma)^2. The first x was made from a guess, which is no draw.

    What the draw itself was spread by beyond what was told is part of that error: D takes away
    ``(1 - J)^2`` of its power. ``apart``: whether that is left out, without which draws that are
    once too wide stay so, and the standard error, the margin for it, is kept.
    """

    def __init__(self, bands: FrequencyBands, apart: bool = False) -> None:
        self._bands = bands
        self._apart = apart
        self._beyond: Tensor | None = None
        self._log_ratio: Tensor | None = None
        self._sigma = math.inf

    def spread(self, c: Tensor, error: Tensor, share: Tensor, sigma: float) -> Tensor:
        """The variances (b, \\*shape) of draws on spectra, where those of x0 given x are ``c``.

        ``error``: of D at the draw that x was made from, as far as x has it from there, which is
        this ``share`` of the variance of each frequency, (b, \\*shape) or (1, \\*shape).
        """
        share = share.expand_as(c)
        seen, told, count = self._bands.sums(_powers(error, c, share)).chunk(3)
        each = 2 if error.is_complex() else 1  # numbers
        told, count = each * told, each * count
        if self._beyond is not None:
            taken = (1 - c / sigma**2).square_() * self._bands.spread(self._beyond)
            seen = (seen - each * self._bands.sum(taken * share)).clamp_min(0)
        least = seen if self._apart else seen / (1 + (2 / count.clamp_min(TINY)).sqrt())
        log_ratio = (least.clamp_min(TINY) / told.clamp_min(TINY)).log()
        if self._log_ratio is None:
            log_ratio = torch.zeros_like(log_ratio)
        else:
            log_ratio += (sigma / self._sigma) ** 2 * (self._log_ratio - log_ratio)
        self._log_ratio, self._sigma = log_ratio, sigma
        wider = c * self._bands.spread(log_ratio.clamp_min(0)).exp_()
        beyond = share * (wider.clamp_max_(sigma**2) - c)
        if self._apart:
            self._beyond = self._bands.sum(beyond) / self._bands.numbers
        return c + beyond


def _powers(error: Tensor, c: Tensor, share: Tensor) -> Iterator[Tensor]:
    """Summands one after the other: each is as large as an image."""
    yield error.abs().square()
    yield c * share
    yield share
