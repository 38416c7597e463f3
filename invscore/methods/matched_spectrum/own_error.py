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
    """

    def __init__(self, bands: FrequencyBands) -> None:
        self._bands = bands
        self._log_ratio: Tensor | None = None
        self._sigma = math.inf

    def spread(self, c: Tensor, error: Tensor, share: Tensor, sigma: float) -> Tensor:
        """The variances (b, \\*shape) of draws on spectra, where those of x0 given x are ``c``.

        ``error``: of D at the draw that x was made from, as far as x has it from there, which is
        this ``share`` of the variance of each frequency, (b, \\*shape) or (1, \\*shape).
        """
        share = share.expand_as(c)
        seen, told, count = self._bands.sums(_powers(error, c, share)).chunk(3)
        if error.is_complex():  # two numbers each
            told, count = 2 * told, 2 * count
        least = seen / (1 + (2 / count.clamp_min(TINY)).sqrt())
        log_ratio = (least.clamp_min(TINY) / told.clamp_min(TINY)).log()
        if self._log_ratio is None:
            log_ratio = torch.zeros_like(log_ratio)
        else:
            log_ratio += (sigma / self._sigma) ** 2 * (self._log_ratio - log_ratio)
        self._log_ratio, self._sigma = log_ratio, sigma
        wider = c * self._bands.spread(log_ratio.clamp_min(0)).exp_()
        return c + share * (wider.clamp_max_(sigma**2) - c)


def _powers(error: Tensor, c: Tensor, share: Tensor) -> Iterator[Tensor]:
    """Summands one after the other: each is as large as an image."""
    yield error.abs().square()
    yield c * share
    yield share
