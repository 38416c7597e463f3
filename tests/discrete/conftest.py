"""Laws of a few bits that can be enumerated."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor


@pytest.fixture(params=[3, 5])
def law(request: pytest.FixtureRequest) -> Tensor:
    """Probabilities of all strings of 3 or 5 bits, between which the bits depend on each other."""
    generator = torch.Generator().manual_seed(request.param)
    logits = 1.5 * torch.randn(2**request.param, generator=generator, dtype=torch.float64)
    return logits.softmax(0).reshape((2,) * request.param)


def _strings(d: int) -> Tensor:
    axis = torch.tensor([0.0, 1.0], dtype=torch.float64)
    return torch.cartesian_prod(*[axis] * d)


@pytest.fixture
def strings(law: Tensor) -> Tensor:
    """All strings of the law's bits, (2^d, d), in the order of ``law.flatten()``."""
    return _strings(law.ndim)
