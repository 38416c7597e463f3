"""Fixtures that several test modules share."""

from __future__ import annotations

import os

import pytest
import torch
from torch import Tensor

from invscore.rng import SampleRNG

# The tensors are small: a second thread only waits, also in the processes that tests start.
torch.set_num_threads(1)
os.environ["OMP_NUM_THREADS"] = "1"


class OneStream(SampleRNG):
    """A single stream for a whole batch: quick where thousands of samples make a statistic."""

    def __init__(self, seed: int) -> None:
        super().__init__([(seed,)])

    def normal_like(self, x: Tensor) -> Tensor:
        return torch.randn(x.shape, generator=self._generators[0], dtype=x.dtype)

    def uniform(self, x: Tensor) -> Tensor:
        return torch.rand(len(x), generator=self._generators[0], dtype=x.real.dtype)


@pytest.fixture
def one_stream() -> type[OneStream]:
    return OneStream
