"""Densities of noise, by which data can be smoothed: unit variance, pixels independent."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor


class NoiseDensity(Protocol):
    """A density g of noise with mean 0 and variance 1 in every pixel.

    After the example of ``invscore.training.objectives``:

    >>> import numpy as np
    >>> from invscore.training.objectives import GaussianDensity, NoiseDensity
    >>> density: NoiseDensity = GaussianDensity()
    >>> density.sample_like(x, np.random.default_rng(0)).shape
    torch.Size([500, 2])
    """

    def sample_like(self, x: Tensor, random: np.random.Generator) -> Tensor:
        """Noise of the shape, type and device of ``x``."""

    def score(self, noise: Tensor) -> Tensor:
        """``grad log g``, of the shape of ``noise``."""


@dataclass(frozen=True)
class GaussianDensity:
    """``g(n) ~ exp(-n^2 / 2)``.

    After the example of ``invscore.training.objectives``:

    >>> from invscore.training.objectives import GaussianDensity
    >>> GaussianDensity().score(torch.tensor([2.0]))
    tensor([-2.])
    """

    def sample_like(self, x: Tensor, random: np.random.Generator) -> Tensor:
        return torch.from_numpy(random.standard_normal(tuple(x.shape))).to(x)

    def score(self, noise: Tensor) -> Tensor:
        return -noise


@dataclass(frozen=True)
class LaplaceDensity:
    """``g(n) ~ exp(-sqrt(2) |n|)``.

    After the example of ``invscore.training.objectives``:

    >>> from invscore.training.objectives import LaplaceDensity
    >>> LaplaceDensity().score(torch.tensor([2.0]))
    tensor([-1.4142])
    """

    def sample_like(self, x: Tensor, random: np.random.Generator) -> Tensor:
        return torch.from_numpy(random.laplace(0.0, math.sqrt(0.5), tuple(x.shape))).to(x)

    def score(self, noise: Tensor) -> Tensor:
        return -math.sqrt(2) * noise.sign()


@dataclass(frozen=True)
class StudentDensity:
    """Student's t with ``degrees`` of freedom nu, ``g(n) ~ (1 + n^2 / (nu - 2))^(-(nu + 1) / 2)``.

    Raises ``ValueError`` unless nu > 2: there is no variance below.

    After the example of ``invscore.training.objectives``:

    >>> from invscore.training.objectives import StudentDensity
    >>> StudentDensity(degrees=5.0).score(torch.tensor([2.0]))
    tensor([-1.7143])
    """

    degrees: float

    def __post_init__(self) -> None:
        if not self.degrees > 2:
            raise ValueError(f"`degrees` must be more than 2 for a variance, got {self.degrees}")

    def sample_like(self, x: Tensor, random: np.random.Generator) -> Tensor:
        unit = math.sqrt(1 - 2 / self.degrees)
        return torch.from_numpy(unit * random.standard_t(self.degrees, tuple(x.shape))).to(x)

    def score(self, noise: Tensor) -> Tensor:
        return -(self.degrees + 1) * noise / (self.degrees - 2 + noise**2)
