"""The power of residuals by frequency: white at the noise level if the model is right.

Let e be the residual ``y - A(x')`` of posterior samples in units of the noise. Under the true model
(x', y) has the law of (x, y), so e has the law of the noise: white. Its power in a band B of
frequencies, ``e^T Q e`` with ``Q = M F^H 1_B F M`` (F the orthonormal Fourier transform, M the mask
of what is measured), then has the mean ``tr Q`` and, for Gaussian noise, the variance
``2 tr Q^2``. Both are sums over the mask's autocorrelation m and the transform q of the band,

    tr Q = q(0) m(0),    tr Q^2 = sum_d |q(d)|^2 m(d),

so that the power over its mean is compared with the gamma law of ``(tr Q)^2 / tr Q^2`` degrees of
freedom. A wrong kernel misses where its transfer function differs from the true one, a wrong level
of noise where the measurement has nothing else: at the highest frequencies.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from invscore.likelihood import GaussianNoise, InverseProblem
from invscore.uncertainty.excerpt import middle_of
from invscore.uncertainty.standardised import residuals

RINGS, SECTORS = 10, 4


@dataclass(frozen=True)
class ResidualSpectrum:
    """``power``: (b, RINGS, SECTORS) over the noise's; ``freedom``: (RINGS, SECTORS).

    The mean over samples of the squared residual in each band, 1 expected, and the degrees of
    freedom of its law, 0 where a band is empty. Rings go from low to high frequencies; the sectors
    of a ring are directions, from that of the columns on.
    """

    power: Tensor
    freedom: Tensor

    def chance_above(self) -> Tensor:
        """The probability of as large a power, (b, RINGS, SECTORS), under the right model."""
        half = self.freedom.expand(self.power.shape) / 2
        chance = torch.special.gammaincc(half.clamp_min(0.5), half * self.power)
        return torch.where(half > 0, chance, 1.0)

    def rings(self) -> tuple[Tensor, Tensor]:
        """Power and degrees of freedom of whole rings, (b, RINGS) and (RINGS,)."""
        freedom = self.freedom.sum(dim=-1)
        return (self.power * self.freedom).sum(dim=-1) / freedom.clamp_min(1), freedom


TOGETHER = 2**16
"""Numbers that are sorted into bands together."""


@torch.no_grad()
def residual_spectrum(
    problem: InverseProblem, samples: Tensor, found: Iterable[Tensor] | None = None
) -> ResidualSpectrum | None:
    """The spectrum of the residuals of ``samples``, (n, b, \\*in_shape).

    ``found``: these in units of the noise, if they are known (``residuals``).
    A measurement (\\*, h, w) is taken to frequencies, except one that is a spectrum itself
    (k-space), centred. None for measurements of fewer than two axes or 16 x 16 numbers.
    """
    operator = problem.operator
    if len(operator.out_shape) < 2 or min(operator.out_shape[-2:]) < 16:
        return None
    mask = operator.measured
    seen = torch.ones(operator.out_shape) if mask is None else mask.float()
    spectral = problem.y.is_complex() or operator.view == "spectrum"
    window = ... if spectral else middle_of(operator.out_shape)
    seen = seen[window].to(problem.y.device)
    seen = seen.reshape(-1, *seen.shape[-2:])
    known = _bands if spectral else _bands_of_many
    bands = known(*seen.shape[-2:], centred=spectral).to(problem.y.device)
    power = torch.stack(
        [
            _energy(each, seen, window, spectral)
            for each in (residuals(problem, samples) if found is None else found)
        ]
    ).mean(dim=0)
    excess = _excess(problem, samples[0])
    total = _sums(power, bands, centred=spectral)
    parts = 2 if problem.y.is_complex() else 1
    if spectral:
        mean = parts * _sums(seen.sum(dim=0), bands, centred=spectral)
        freedom = mean
    else:
        mean, freedom = _moments(seen, bands) if mask is not None else _moments_of_all(seen.shape)
        mean, freedom = mean.to(seen.device), freedom.to(seen.device)
        mean, freedom = parts * mean, parts * freedom
    freedom = torch.where(mean > 0.5, freedom, 0.0).cpu().double()
    # A law of heavier tails than the Gaussian's adds its excess to the variance of every band.
    freedom = 2 / (2 / freedom + excess / max(1, problem.count))
    return ResidualSpectrum(
        (total / mean.clamp_min(1e-12)).cpu().double().reshape(-1, RINGS, SECTORS),
        freedom.reshape(RINGS, SECTORS),
    )


def _excess(problem: InverseProblem, x: Tensor) -> float:
    """The kurtosis of the noise of ``A(x)``, on average; of Gaussian noise 0."""
    if isinstance(problem.noise, GaussianNoise):
        return 0.0
    clean = problem.operator(x)
    return float(problem.noise.kurtosis(clean).expand(clean.shape).mean())


def _energy(residual: Tensor, seen: Tensor, window: Any, spectral: bool) -> Tensor:
    """The square of a residual at each frequency, (b, h, w), over channels."""
    scaled = residual[window].reshape(len(residual), *seen.shape) * seen
    if not spectral:
        scaled = torch.fft.fft2(scaled, norm="ortho")
    return scaled.abs().square().sum(dim=1)


def _bands(height: int, width: int, *, centred: bool) -> Tensor:
    """The number of the band of each frequency, (h, w)."""
    rows, columns = torch.fft.fftfreq(height)[:, None], torch.fft.fftfreq(width)[None]
    ring = (RINGS * 2 * torch.hypot(rows, columns)).long().clamp_max(RINGS - 1)
    angle = torch.atan2(rows, columns) % math.pi
    sector = (angle / math.pi * SECTORS + 0.5).long() % SECTORS
    bands = ring * SECTORS + sector
    return torch.fft.fftshift(bands) if centred else bands


_bands_of_many = lru_cache(maxsize=2)(_bands)
"""Of windows, which are small and have one shape in many measurements."""


def _sums(values: Tensor, bands: Tensor, *, centred: bool) -> Tensor:
    """Sums of ``values``, (\\*, h, w), in each band: (\\*, bands)."""
    numbers, places = values.flatten(-2), bands.flatten()
    if len(places) <= TOGETHER:
        return numbers @ _members(*values.shape[-2:], centred=centred).to(values)
    total = values.new_zeros(*values.shape[:-2], RINGS * SECTORS)
    for first in range(0, len(places), TOGETHER):
        part = slice(first, first + TOGETHER)
        total += numbers[..., part] @ _one_hot(places[part]).to(values)
    return total


@lru_cache(maxsize=1)
def _members(height: int, width: int, *, centred: bool) -> Tensor:
    """1 for each frequency in its band, else 0, (h w, bands): of small windows, as many have."""
    return _one_hot(_bands(height, width, centred=centred).flatten()).float()


def _one_hot(places: Tensor) -> Tensor:
    return torch.nn.functional.one_hot(places, RINGS * SECTORS)


@lru_cache
def _moments_of_all(shape: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """Moments of measurements without a mask, cached: many have one shape.

    Q is diagonal then: the indicator of the band, shared by each frequency and the opposite one.
    """
    bands = _bands(*shape[-2:], centred=False)
    opposite = bands.flip(0, 1).roll((1, 1), (0, 1))
    number, paired = (
        shape[0] * torch.bincount(each, minlength=RINGS * SECTORS).float()
        for each in (bands.flatten(), bands[bands == opposite])
    )
    return number, number**2 / ((number + paired) / 2).clamp_min(1e-12)


def _moments(seen: Tensor, bands: Tensor) -> tuple[Tensor, Tensor]:
    """``tr Q`` and ``(tr Q)^2 / tr Q^2``, Q for real residuals, of each band: for (c, h, w)."""
    spectrum = torch.fft.fft2(seen).abs().square().sum(dim=0)
    correlation = torch.fft.ifft2(spectrum).real
    means, squares = [], []
    sides = bands.shape[-2:]
    opposite = bands.flip(0, 1).roll((1, 1), (0, 1))
    columns = sides[1] // 2 + 1
    half, opposed = bands[:, :columns], opposite[:, :columns]
    for band in range(RINGS * SECTORS):
        share = ((half == band).to(seen.dtype) + (opposed == band)) / 2
        kernel = torch.fft.irfft2(share, s=sides)
        means.append(kernel[0, 0] * correlation[0, 0])
        squares.append((kernel.square_() * correlation).sum())
    mean, square = torch.stack(means), torch.stack(squares)
    return mean, mean**2 / square.clamp_min(1e-12)
