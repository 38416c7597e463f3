"""What auto makes of a prior whose levels end too early to sample with."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from invscore import GaussianNoise, InverseProblem, reconstruct
from invscore.operators import Identity, from_function
from invscore.priors import DenoiserPrior


def shrink(z: Tensor, s: Tensor) -> Tensor:
    return 0.5 + (z - 0.5) / (1 + 16 * s.reshape(-1, 1, 1, 1) ** 2)


@pytest.mark.parametrize(
    ("side", "linear", "method", "message"),
    [
        (12, True, "matched_spectrum", "auto started there"),
        (4, True, "hqs", "auto took hqs, a point estimate"),
        (12, False, "hqs", "auto took hqs, a point estimate"),
    ],
)
def test_narrow_levels(side: int, linear: bool, method: str, message: str) -> None:
    shape = (1, side, side)
    operator = Identity(shape) if linear else from_function(lambda x: x**3, shape, linear=False)
    problem = InverseProblem(operator, torch.rand(1, *shape), GaussianNoise(0.1))
    prior = DenoiserPrior(shrink, channels=1, sigma_min=0.01, sigma_max=0.2)
    result = reconstruct(problem, prior, steps=4)
    assert result.method == method
    assert any(message in warning for warning in result.warnings)
    wide = DenoiserPrior(shrink, channels=1, sigma_min=0.01, sigma_max=5.0)
    if linear and side == 12:
        assert not any(
            "knows noise up to" in w for w in reconstruct(problem, wide, steps=4).warnings
        )
