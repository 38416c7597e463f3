"""The periodogram of a blurred photograph, and how likely a kernel makes it.

By Whittle's likelihood, the window's leakage accounted for as in Sykulski et al. 2019; the
photograph's spectrum is fitted for each kernel: amplitude, exponent, how these differ between
directions, and the noise where it is not known.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.fft import fft2, fftfreq, irfft2, rfft2

Array = npt.NDArray[np.floating[Any]]

LOWEST = 2.5
"""Least number of periods across the picture: below, the window leaks the mean."""

ITERATIONS, HALVINGS = 40, 8
"""Most steps of Fisher's scoring, and most halvings of a step that lowers the likelihood."""

RIDGE = 1e-6
"""Added to the diagonal of Fisher's information, so that a step is finite."""

MOST = 5.0
"""Largest difference of log-gains of two kernels at a frequency that counts when the fit of one
starts from that of the other."""

CONVERGED = 1e-2
"""Predicted gain of a step, in nats, below which the fit has converged."""

OUT_OF_REACH = 3.0
"""Multiple of a step's predicted gain (a parabola gains half of it) that the fit cannot gain."""

REMEMBERED = 2**15
"""Largest picture, in pixels, for which the spectra that kernels leave are cached."""

START = (-6.0, -2.7, 0.0, 0.0, 0.0, 0.0)
"""Parameters of a photograph's spectrum, at first: log-amplitude, exponent, and the cosine and sine
of twice and four times the direction."""

CENTRE, PRECISION = np.array(START), np.array([0.0, 30.0, 20.0, 20.0, 20.0, 20.0])
"""Gaussian prior of these parameters: mean and precision, 0 for the amplitude, which is free."""

KNOWN = np.diag(PRECISION)
"""Precision of this prior as a matrix."""


class Periodogram:
    """The power of a picture (c, h, w) under a window, and how likely a kernel makes it.

    ``noise``: its standard deviation in the picture, or None where it is fitted too.
    """

    def __init__(self, picture: Tensor, noise: float | None = None) -> None:
        image = picture.detach().cpu().double().mean(dim=0)
        self.shape = (image.shape[0], image.shape[1])
        taper, _, used, self._basis = _frequencies(self.shape)
        mean = (taper * image).sum() / taper.sum()
        power = fft2(taper * (image - mean), norm="ortho").abs() ** 2
        self._power: Array = power[used].numpy()
        self._channels = len(picture)
        self._known = None if noise is None else max(noise**2 / self._channels, 1e-12)
        lowest = float(np.quantile(self._power, 0.1))
        self._theta = np.array(START)
        self._theta[0] += math.log(max(float(self._power.mean()), 1e-30))
        self._level = math.log(self._known or max(lowest, 1e-12))
        self._fit: _Fit | None = None
        self._total = np.full_like(self._power, math.nan)  # that the last kernel expects

    @property
    def noise(self) -> float:
        """The standard deviation of the noise, that of the last kernel where it is fitted."""
        return math.exp(self._level / 2) * self._channels**0.5

    @property
    def mean_log_ratio(self) -> float:
        """Mean log-ratio of the periodogram to its expectation under the last kernel."""
        return float(np.log((self._power / self._total).clip(1e-30)).mean())

    def log_likelihood(self, kernel: Tensor, least: float = -math.inf) -> float:
        """Whittle's log-likelihood in nats, of the best spectrum; less if it is not ``least``."""
        passed, basis, power = self._passed(kernel), self._basis, self._power
        theta, level = self._theta, self._level
        if self._fit is not None:
            theta = theta + self._fit.change(passed)

        def expected(theta: Array, level: float) -> tuple[Array, Array, Array, float]:
            """The power of what is clean, of all, the periodogram over it, and how likely it is."""
            clean = passed * np.exp((theta @ basis).clip(-60, 60))
            total = clean + math.exp(level)
            ratio = power / total
            away = 0.5 * float(PRECISION @ (theta - CENTRE) ** 2)
            return clean, total, ratio, -float(np.log(total).sum() + ratio.sum()) - away

        clean, total, ratio, value = expected(theta, level)
        for _ in range(ITERATIONS):  # Fisher's scoring
            seen, excess = clean / total, ratio - 1
            slope = basis @ (seen * excess) - PRECISION * (theta - CENTRE)
            fisher = (basis * seen**2) @ basis.T + KNOWN
            if self._known is None:
                own = math.exp(level) / total
                across = basis @ (seen * own)
                slope = np.append(slope, own @ excess)
                fisher = np.block([[fisher, across[:, None]], [across, own @ own]])
            fisher.flat[:: len(fisher) + 1] += RIDGE
            step = np.linalg.solve(fisher, slope)
            promised, length = float(slope @ step), float(abs(step).max())
            if length <= 1 and value + OUT_OF_REACH * promised < least:
                break
            step, before = step / max(length, 1.0), value
            for _ in range(HALVINGS):  # until it leads upwards
                at = theta + step[:6]
                noise = level + (float(step[6]) if self._known is None else 0.0)
                clean, total, ratio, value = expected(at, noise)
                if value >= before:
                    break
                step = step / 2
            theta, level = at, noise
            if promised < CONVERGED:
                break
        self._total = total
        if least == -math.inf:
            self._theta, self._level = theta, level
            self._fit = _Fit.of(basis, clean / total, passed)
        return value

    def _passed(self, kernel: Tensor) -> Array:
        """Power gain of a kernel at each frequency, the window's leakage included."""
        kernel = kernel.double().contiguous()
        if math.prod(self.shape) > REMEMBERED:
            return _passed(kernel, self.shape)
        return _remembered(kernel.numpy().tobytes(), tuple(kernel.shape), self.shape)


@dataclass(frozen=True)
class _Fit:
    """Fit of a spectrum behind a kernel, which leaves the share ``passed`` of each frequency."""

    passed: Array
    covariance: Array
    design: Array

    @classmethod
    def of(cls, basis: Array, seen: Array, passed: Array) -> _Fit:
        """``seen``: the share of what is clean in the power of each frequency."""
        design = basis * seen**2
        fisher = design @ basis.T + KNOWN
        fisher.flat[:: len(fisher) + 1] += RIDGE
        return cls(passed, np.linalg.inv(fisher), design)

    def change(self, passed: Array) -> Array:
        """Change of the parameters for another kernel, where the clean power stays as it is."""
        ratio = np.log(self.passed / passed).clip(-MOST, MOST)
        return self.covariance @ (self.design @ ratio)


@lru_cache(maxsize=1)
def _frequencies(shape: tuple[int, int]) -> tuple[Tensor, Tensor, Tensor, Array]:
    """Of pictures of a shape: the window, its leakage, and which frequencies are looked at.

    And the logarithm of a photograph's power there as a sum, a summand a row.
    """
    height, width = shape
    taper = torch.outer(*(_half_wave(n) for n in shape))
    taper = taper / taper.square().mean().sqrt()
    leak = fft2(taper).abs() ** 2
    rows, columns = (fftfreq(n, dtype=torch.float64) for n in shape)
    down, across = torch.meshgrid(rows, columns, indexing="ij")
    radius, angle = torch.hypot(down, across), torch.atan2(down, across)
    half = (down > 0) | ((down == 0) & (across > 0))
    used = half & (torch.hypot(down * height, across * width) >= LOWEST) & (radius <= 0.5)
    waves = [f(n * angle) for n in (2, 4) for f in (torch.cos, torch.sin)]
    summands = [torch.ones_like(radius), radius.clamp_min(1e-9).log(), *waves]
    basis: Array = torch.stack([each[used] for each in summands]).numpy()
    return taper, rfft2(leak / leak.sum()), used, basis


@lru_cache(maxsize=16)
def _remembered(kernel: bytes, shape: tuple[int, int], picture: tuple[int, int]) -> Array:
    """``_passed``, cached: of many measurements, the kernels of one are those of the next."""
    return _passed(torch.frombuffer(bytearray(kernel), dtype=torch.float64).reshape(shape), picture)


def _passed(kernel: Tensor, picture: tuple[int, int]) -> Array:
    (kh, kw), (height, width) = kernel.shape, picture
    padded = torch.nn.functional.pad(kernel, (0, width - kw, 0, height - kh))
    _, leak, used, _ = _frequencies(picture)
    power = rfft2(fft2(padded).abs() ** 2)
    found: Array = irfft2(power * leak, s=picture)[used].clamp_min(1e-12).numpy()
    return found


def _half_wave(size: int) -> Tensor:
    return torch.sin(math.pi * (torch.arange(size, dtype=torch.float64) + 0.5) / size)
