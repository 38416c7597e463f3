"""Diffusions: processes that are given by their stochastic differential equation."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from invscore.processes.base import Coefficients, Process


@dataclass(frozen=True)
class VE(Process):
    """Variance exploding: ``dx = g dW``, sigma from ``sigma_min`` to ``sigma_max`` geometrically.

    ``alpha = 1``, ``sigma = sigma_min (sigma_max / sigma_min)^t``, t from 0 to 1 (Song et al. 2021,
    Eq. 30). At t = 0 the noise sigma_min remains.

    >>> from invscore.processes import VE
    >>> at = VE(sigma_min=0.01, sigma_max=100.0).at(0.5)
    >>> round(float(at.alpha), 3), round(float(at.sigma), 3)
    (1.0, 1.0)
    """

    sigma_min: float = 0.01
    sigma_max: float = 50.0
    data = 0.0
    noise = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.sigma_min < self.sigma_max:
            raise ValueError(
                "`sigma_min` and `sigma_max` must satisfy 0 < sigma_min < sigma_max, got "
                f"{self.sigma_min} and {self.sigma_max}"
            )

    def _at(self, t: Tensor) -> Coefficients:
        sigma = self.sigma_min * (self._rate * t).exp()
        return Coefficients(
            torch.ones_like(t), sigma, torch.zeros_like(t), 2 * self._rate * sigma**2
        )

    def _time(self, level: Tensor) -> Tensor:
        return (level / self.sigma_min).log() / self._rate

    @property
    def _rate(self) -> float:
        return math.log(self.sigma_max / self.sigma_min)


@dataclass(frozen=True)
class _LinearBeta(Process):
    """Shared part of VP and sub-VP: beta from ``beta_min`` to ``beta_max`` for t from 0 to 1."""

    beta_min: float = 0.1
    beta_max: float = 20.0
    data = 0.0
    noise = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.beta_min <= self.beta_max:
            raise ValueError(
                "`beta_min` and `beta_max` must satisfy 0 < beta_min <= beta_max, got "
                f"{self.beta_min} and {self.beta_max}"
            )


@dataclass(frozen=True)
class VP(_LinearBeta):
    """Variance preserving: ``dx = -beta x / 2 dt + sqrt(beta) dW``, beta linear in time.

    beta from ``beta_min`` to ``beta_max`` for t from 0 to 1 and ``B(t)`` its integral:
    ``alpha = exp(-B / 2)``, ``sigma^2 = 1 - exp(-B)`` (Song et al. 2021, Eqs. 32 and 33).

    >>> from invscore.processes import VP
    >>> at = VP().at(0.5)
    >>> round(float(at.alpha), 3), round(float(at.sigma), 3)
    (0.281, 0.96)
    """

    def _at(self, t: Tensor) -> Coefficients:
        beta, spent = _linear(t, self.beta_min, self.beta_max)
        return Coefficients((-spent / 2).exp(), (-torch.expm1(-spent)).sqrt(), -beta / 2, beta)

    def _time(self, level: Tensor) -> Tensor:
        return _when(torch.log1p(level**2), self.beta_min, self.beta_max)


@dataclass(frozen=True)
class SubVP(_LinearBeta):
    """Sub-variance preserving: the drift of ``VP`` with less diffusion, better for likelihoods.

    ``alpha = exp(-B / 2)``, ``sigma = 1 - exp(-B)``, ``g^2 = beta (1 - exp(-2 B))``
    (Song et al. 2021, Eqs. 28 and 34).

    >>> from invscore.processes import SubVP
    >>> at = SubVP().at(0.5)
    >>> round(float(at.alpha), 3), round(float(at.sigma), 3)
    (0.281, 0.921)
    """

    def _at(self, t: Tensor) -> Coefficients:
        beta, spent = _linear(t, self.beta_min, self.beta_max)
        return Coefficients(
            (-spent / 2).exp(),
            -torch.expm1(-spent),
            -beta / 2,
            -beta * torch.expm1(-2 * spent),
        )

    def _time(self, level: Tensor) -> Tensor:
        # sigma / alpha = 2 sinh(B / 2).
        return _when(2 * torch.asinh(level / 2), self.beta_min, self.beta_max)


@dataclass(frozen=True)
class VPCosine(Process):
    """Variance preserving along a quarter of a cosine: ``alpha = cos(a) / cos(a at t = 0)``.

    ``a = (t + offset) / (1 + offset) pi / 2``, ``sigma^2 = 1 - alpha^2``, t from 0 to 1, where
    alpha is 0 (Nichol & Dhariwal 2021, Eq. 17).

    >>> from invscore.processes import VPCosine
    >>> at = VPCosine().at(0.5)
    >>> round(float(at.alpha), 3), round(float(at.sigma), 3)
    (0.703, 0.711)
    """

    offset: float = 0.008
    data = 0.0
    noise = 1.0

    def __post_init__(self) -> None:
        if not self.offset >= 0:
            raise ValueError(f"`offset` must be at least 0, got {self.offset}")

    def _at(self, t: Tensor) -> Coefficients:
        angle = self._speed * (t + self.offset)
        alpha = angle.cos() / self._first
        # sin(a)^2 - sin(a0)^2 = sin(a - a0) sin(a + a0), which keeps its digits at small t.
        gained = (self._speed * t).sin() * (self._speed * (t + 2 * self.offset)).sin()
        drift = -self._speed * angle.tan()
        return Coefficients(alpha, gained.clamp_min(0).sqrt() / self._first, drift, -2 * drift)

    def _time(self, level: Tensor) -> Tensor:
        return (self._first / torch.sqrt(1 + level**2)).acos() / self._speed - self.offset

    @property
    def _speed(self) -> float:
        return math.pi / 2 / (1 + self.offset)

    @property
    def _first(self) -> float:
        return math.cos(self._speed * self.offset)


@dataclass(frozen=True)
class OrnsteinUhlenbeck(Process):
    """``dx = -rate x dt + sqrt(2) strength dW``, the form of lecture notes, t from 0 to ``noise``.

    ``alpha = exp(-rate t)``, ``sigma^2 = strength^2 (1 - exp(-2 rate t)) / rate``, which tends to
    the variance ``strength^2 / rate``. ``VP`` is the same process in another time.

    >>> from invscore.processes import OrnsteinUhlenbeck
    >>> at = OrnsteinUhlenbeck(noise=3.0).at(0.5)
    >>> round(float(at.alpha), 3), round(float(at.sigma), 3)
    (0.607, 0.795)
    """

    rate: float = 1.0
    strength: float = 1.0
    data = 0.0
    noise: float = 5.0

    def __post_init__(self) -> None:
        if not (self.rate > 0 and self.strength > 0):
            raise ValueError(
                f"`rate` and `strength` must be positive numbers, got {self.rate} and "
                f"{self.strength}"
            )

    def _at(self, t: Tensor) -> Coefficients:
        variance = -(self.strength**2) / self.rate * torch.expm1(-2 * self.rate * t)
        return Coefficients(
            (-self.rate * t).exp(),
            variance.sqrt(),
            torch.full_like(t, -self.rate),
            torch.full_like(t, 2 * self.strength**2),
        )

    def _time(self, level: Tensor) -> Tensor:
        return torch.log1p(self.rate * level**2 / self.strength**2) / (2 * self.rate)


def _linear(t: Tensor, low: float, high: float) -> tuple[Tensor, Tensor]:
    """beta at ``t`` and its integral from 0."""
    return low + (high - low) * t, low * t + (high - low) / 2 * t**2


def _when(spent: Tensor, low: float, high: float) -> Tensor:
    """The time at which the integral of beta is ``spent``."""
    return 2 * spent / (low + torch.sqrt(low**2 + 2 * (high - low) * spent))
