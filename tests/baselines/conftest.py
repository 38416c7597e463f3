"""Small problems with known images."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from invscore.likelihood import GaussianNoise, InverseProblem, simulate
from invscore.operators import Operator


def disk(size: int) -> Tensor:
    """A bright disk on a slope, (1, 1, size, size), in float64."""
    rows, columns = torch.meshgrid(*[torch.linspace(-1, 1, size).double()] * 2, indexing="ij")
    inside = ((rows - 0.1) ** 2 + columns**2 < 0.3).double()
    return (0.3 + 0.1 * rows + 0.4 * inside)[None, None]


def measure(operator: Operator, x: Tensor, sigma: float = 0.025, seed: int = 0) -> InverseProblem:
    noise = GaussianNoise(sigma)
    return InverseProblem(operator, simulate(operator, x, noise, seed), noise)


@pytest.fixture
def image() -> Tensor:
    return disk(32)


@pytest.fixture(name="measure")
def measure_fixture() -> Callable[..., InverseProblem]:
    return measure


@pytest.fixture
def rms() -> Callable[[Tensor, Tensor], float]:
    return lambda a, b: float((a - b).abs().square().mean().sqrt())
