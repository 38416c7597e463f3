"""Laws of the increments of Levy processes, as scale mixtures of Gaussians.

Given a latent variance w, an increment is Gaussian, ``u ~ N(0, w)``; w has a law of its own. Given
u, the law of w is again one that can be drawn from: all that a Gibbs sampler needs (Zach, Haouchat
& Unser 2026; Andrews & Mallows 1974).
"""

from __future__ import annotations

import abc
import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor


class Law(abc.ABC):
    """The density of a real number u and the conditional law of its latent variance."""

    @property
    @abc.abstractmethod
    def variance(self) -> float:
        """Variance of u; infinite where the integral is."""

    @property
    def jumps(self) -> float:
        """The probability that u is not 0; where it is below 1, ``latent`` knows a jump by it."""
        return 1.0

    @abc.abstractmethod
    def sample(self, shape: tuple[int, ...], random: np.random.Generator) -> Tensor:
        """Independent increments in float64."""

    @abc.abstractmethod
    def log_density(self, u: Tensor) -> Tensor:
        """The log-density of each number of ``u``, in nats."""

    @abc.abstractmethod
    def noise(self, shape: tuple[int, ...], random: np.random.Generator) -> Tensor:
        """The random numbers that ``latent`` needs for increments of ``shape``: (k, \\*shape)."""

    @abc.abstractmethod
    def latent(self, u: Tensor, noise: Tensor) -> Tensor:
        """A draw of the variance of each increment given its value ``u``, made of ``noise``.

        The variance that it would have if it jumped, drawn from the prior, where it does not.
        """


@dataclass(frozen=True)
class Gauss(Law):
    """``u ~ N(0, scale^2)``: the latent variance is known."""

    scale: float

    @property
    def variance(self) -> float:
        return self.scale**2

    def sample(self, shape: tuple[int, ...], random: np.random.Generator) -> Tensor:
        return self.scale * torch.from_numpy(random.standard_normal(shape))

    def log_density(self, u: Tensor) -> Tensor:
        return -0.5 * (u**2 / self.variance + math.log(2 * math.pi * self.variance))

    def noise(self, shape: tuple[int, ...], random: np.random.Generator) -> Tensor:  # noqa: ARG002
        return torch.zeros(0, *shape, dtype=torch.float64)

    def latent(self, u: Tensor, noise: Tensor) -> Tensor:  # noqa: ARG002
        return torch.full_like(u, self.variance)


@dataclass(frozen=True)
class Laplace(Law):
    """``p(u) = exp(-|u| / scale) / (2 scale)``: w is exponential of mean 2 scale^2."""

    scale: float

    @property
    def variance(self) -> float:
        return 2 * self.scale**2

    def sample(self, shape: tuple[int, ...], random: np.random.Generator) -> Tensor:
        return torch.from_numpy(random.laplace(0.0, self.scale, shape))

    def log_density(self, u: Tensor) -> Tensor:
        return -u.abs() / self.scale - math.log(2 * self.scale)

    def noise(self, shape: tuple[int, ...], random: np.random.Generator) -> Tensor:
        numbers = [random.standard_normal(shape), random.random(shape)]
        return torch.from_numpy(np.stack(numbers))

    def latent(self, u: Tensor, noise: Tensor) -> Tensor:
        """1 / w is inverse Gaussian of mean ``1 / (scale |u|)`` and shape ``1 / scale^2``.

        By the two roots of Michael, Schucany & Haas 1976, written for w so that u = 0 is allowed.
        """
        normal, uniform = noise
        middle = self.scale * u.abs()
        half = 0.5 * (self.scale * normal) ** 2
        larger = middle + half + (half * (2 * middle + half)).sqrt()
        return torch.where(uniform * (larger + middle) < larger, larger, middle**2 / larger)


@dataclass(frozen=True)
class BernoulliLaplace(Law):
    """0 with probability ``1 - probability``, else Laplace: a compound Poisson process."""

    probability: float
    scale: float

    @property
    def jumps(self) -> float:
        return self.probability

    @property
    def variance(self) -> float:
        return self.probability * self._jump.variance

    @property
    def _jump(self) -> Laplace:
        return Laplace(self.scale)

    def sample(self, shape: tuple[int, ...], random: np.random.Generator) -> Tensor:
        jumped = torch.from_numpy(random.random(shape) < self.probability)
        return torch.where(jumped, self._jump.sample(shape, random), 0.0)

    def log_density(self, u: Tensor) -> Tensor:
        """The log-density with respect to Lebesgue's measure and a unit mass at 0."""
        jumped = math.log(self.probability) + self._jump.log_density(u)
        return torch.where(u == 0, math.log1p(-self.probability), jumped)

    def noise(self, shape: tuple[int, ...], random: np.random.Generator) -> Tensor:
        fresh = torch.from_numpy(random.exponential(self._jump.variance, shape))
        return torch.cat([self._jump.noise(shape, random), fresh[None]])

    def latent(self, u: Tensor, noise: Tensor) -> Tensor:
        return torch.where(u == 0, noise[2], self._jump.latent(u, noise[:2]))


@dataclass(frozen=True)
class Student(Law):
    """Student's t with ``degrees`` of freedom nu: nu / w is chi-squared with nu degrees."""

    degrees: float

    @property
    def variance(self) -> float:
        return self.degrees / (self.degrees - 2) if self.degrees > 2 else math.inf

    def sample(self, shape: tuple[int, ...], random: np.random.Generator) -> Tensor:
        return torch.from_numpy(random.standard_t(self.degrees, shape))

    def log_density(self, u: Tensor) -> Tensor:
        half, nu = (self.degrees + 1) / 2, self.degrees
        constant = math.lgamma(half) - math.lgamma(nu / 2) - 0.5 * math.log(math.pi * nu)
        return constant - half * torch.log1p(u**2 / nu)

    def noise(self, shape: tuple[int, ...], random: np.random.Generator) -> Tensor:
        return torch.from_numpy(random.standard_gamma((self.degrees + 1) / 2, (1, *shape)))

    def latent(self, u: Tensor, noise: Tensor) -> Tensor:
        """Inverse gamma of shape ``(nu + 1) / 2`` and scale ``(nu + u^2) / 2``."""
        return 0.5 * (self.degrees + u**2) / noise[0]


LAWS: dict[str, Law] = {
    "gauss": Gauss(0.5),
    "laplace": Laplace(1.0),
    "bernoulli": BernoulliLaplace(0.1, 1.0),
    "student1": Student(1.0),
    "student2": Student(2.0),
    "student3": Student(3.0),
}
"""Laws of the increments, those of the benchmark of Zach, Haouchat & Unser 2026."""
