"""The process contract: two functions of time, and the equations that follow from them."""

from __future__ import annotations

import abc
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from invscore.batches import PerImage, per_image
from invscore.hardware.doubles import doubled
from invscore.processes.solvers import euler_maruyama, heun
from invscore.rng import SampleRNG

Time = PerImage
"""A time: a number, or a tensor of shape (b,), one for each image."""

Denoiser = Callable[[Tensor, PerImage], Tensor]
"""``D(x, sigma) = E[x0 | x0 + sigma n = x]``, such as ``prior.denoise``."""


class Coefficients(NamedTuple):
    """Coefficients of a process at a time, in float64: ``x_t = alpha x_0 + sigma z`` in law, and
    the equation ``dx = drift x dt + sqrt(diffusion) dW`` that leads there.

    >>> from invscore.processes import VP
    >>> at = VP().at(0.5)
    >>> round(float(at.alpha**2 + at.sigma**2), 6)
    1.0
    """

    alpha: Tensor
    sigma: Tensor
    drift: Tensor
    diffusion: Tensor


class Process(abc.ABC):
    """``x_t = alpha(t) x_0 + sigma(t) z``, ``z`` standard normal, x_0 from the data.

    ``data`` and ``noise`` are the times of the two ends, in either order. The law of x_t is that
    of the solution of ``dx = f(t) x dt + g(t) dW`` run from ``data`` to ``noise``, where

        f = d ln(alpha)/dt,    g^2 = |d(sigma^2)/dt - 2 f sigma^2|

    (Karras et al. 2022, Eq. 10; Song et al. 2021, Eq. 5), ``dt`` negative where ``noise`` comes
    first. At the end where sigma is 0 there is no score, and where alpha is 0 no finite f: paths
    start and stop short of them, for example at the times of noise levels, ``time(level)``.

    Images are (b, \\*shape), real or complex (noise in both parts), and z is in their units. A
    denoiser is what a prior has: ``D(x, level)`` for ``x_0 + level z``.

    >>> import torch
    >>> from invscore.processes import FlowMatching, VP
    >>> level = VP().level(0.5)
    >>> torch.allclose(VP().time(level), torch.tensor(0.5, dtype=torch.float64))
    True
    >>> round(float(FlowMatching().level(0.5)), 6)
    1.0
    """

    data: float
    noise: float

    @abc.abstractmethod
    def _at(self, t: Tensor) -> Coefficients:
        """The coefficients at times in float64, of any shape."""

    @abc.abstractmethod
    def _time(self, level: Tensor) -> Tensor:
        """The inverse of ``level`` in float64."""

    def at(self, t: Time) -> Coefficients:
        """``alpha``, ``sigma``, ``f`` and ``g^2`` at ``t``, in its shape and in float64."""
        return self._at(_double(t))

    def alpha(self, t: Time) -> Tensor:
        """Factor of the data at ``t``."""
        return self.at(t).alpha

    def sigma(self, t: Time) -> Tensor:
        """The standard deviation of the noise in x_t."""
        return self.at(t).sigma

    def drift(self, t: Time) -> Tensor:
        """``f(t) = d ln(alpha)/dt``, per unit of time."""
        return self.at(t).drift

    def diffusion(self, t: Time) -> Tensor:
        """``g(t)^2``, a variance per unit of time, never negative."""
        return self.at(t).diffusion

    def level(self, t: Time) -> Tensor:
        """``sigma / alpha``: the noise level of ``x_t / alpha``, as denoisers have it."""
        at = self.at(t)
        return at.sigma / at.alpha

    def time(self, level: PerImage) -> Tensor:
        """The time at which ``sigma / alpha`` is ``level``, in float64."""
        return self._time(_double(level))

    def to_ve(self, x: Tensor, t: Time) -> tuple[Tensor, Tensor]:
        """``(x_t / alpha, level)``: the state as data plus noise."""
        return x / per_image(self.alpha(t), x, "t"), self.level(t)

    def from_ve(self, x: Tensor, level: PerImage) -> tuple[Tensor, Tensor]:
        """``(x_t, t)`` of data plus noise of ``level``."""
        t = self.time(level)
        return x * per_image(self.alpha(t), x, "level"), t

    def mix(self, clean: Tensor, noise: Tensor, t: Time) -> Tensor:
        """``alpha(t) clean + sigma(t) noise``."""
        at = self.at(t)
        return per_image(at.alpha, clean, "t") * clean + per_image(at.sigma, clean, "t") * noise

    def marginal(self, clean: Tensor, t: Time, rng: SampleRNG) -> Tensor:
        """A draw of x_t given x_0 = ``clean``."""
        return self.mix(clean, rng.normal_like(clean), t)

    def score(self, denoise: Denoiser, x: Tensor, t: Time) -> Tensor:
        """The gradient of the log-density of x_t at ``x``, sigma(t) > 0 (Tweedie's formula)."""
        at, denoised = self.at(t), denoise(*self.to_ve(x, t))
        pull = per_image(at.alpha, x, "t") * denoised - x
        return pull / per_image(at.sigma, x, "t") ** 2

    def reverse_drift(self, denoise: Denoiser, x: Tensor, t: Time) -> Tensor:
        """``f x - g^2 score``, the drift of the SDE that is run from ``noise`` to ``data``.

        Its diffusion is that of the forward equation (Anderson 1982; Song et al. 2021, Eq. 6).
        Where ``noise`` comes first, the sign of ``g^2`` is reversed.
        """
        return self._towards(denoise, x, t, 1.0)

    def velocity(self, denoise: Denoiser, x: Tensor, t: Time) -> Tensor:
        """``dx/dt = f x - g^2 score / 2``, the probability flow (Song et al. 2021, Eq. 13).

        The ordinary equation whose solutions have the laws of x_t; signs as in ``reverse_drift``.
        """
        return self._towards(denoise, x, t, 0.5)

    def forward(self, x: Tensor, times: Sequence[float], rng: SampleRNG) -> Iterator[Tensor]:
        """Euler-Maruyama of the SDE from ``x`` at the first of ``times``: the state at each other.

        ``times`` lead from ``data`` towards ``noise``.
        """

        def drift(x: Tensor, t: float) -> Tensor:
            return per_image(self.drift(t), x) * x

        return euler_maruyama(x, times, drift, self.diffusion, rng)

    def reverse(
        self, denoise: Denoiser, x: Tensor, times: Sequence[float], rng: SampleRNG
    ) -> Iterator[Tensor]:
        """Euler-Maruyama of the reverse SDE, ``times`` leading from ``noise`` towards ``data``."""

        def drift(x: Tensor, t: float) -> Tensor:
            return self.reverse_drift(denoise, x, t)

        return euler_maruyama(x, times, drift, self.diffusion, rng)

    def flow(self, denoise: Denoiser, x: Tensor, times: Sequence[float]) -> Iterator[Tensor]:
        """The probability flow by Heun's method, in either direction."""

        def velocity(x: Tensor, t: float) -> Tensor:
            return self.velocity(denoise, x, t)

        return heun(x, times, velocity)

    def _towards(self, denoise: Denoiser, x: Tensor, t: Time, share: float) -> Tensor:
        """``f x - share g^2 score``, with the factors of x and of D gathered in float64, where
        the large numbers at the ends cancel."""
        at = self.at(t)
        forwards = 1.0 if self.noise > self.data else -1.0
        pull = forwards * share * at.diffusion / at.sigma**2
        denoised = denoise(*self.to_ve(x, t))
        kept, drawn = (per_image(c, x, "t") for c in (at.drift + pull, pull * at.alpha))
        return kept * x - drawn * denoised


def _double(value: PerImage) -> Tensor:
    """A number or numbers in float64."""
    if isinstance(value, Tensor):
        return doubled(value)
    return torch.as_tensor(value, dtype=torch.float64)
