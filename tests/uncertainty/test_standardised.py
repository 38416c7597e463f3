"""Residuals in units of the noise, held or found anew."""

from __future__ import annotations

import pytest
import torch

from invscore import GaussianNoise, InverseProblem
from invscore.operators import Blur
from invscore.uncertainty import standardised


@pytest.mark.parametrize("held", [True, False])
def test_residuals_can_be_asked_for_again(held: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not held:
        monkeypatch.setattr(standardised, "SMALL", 0)
    operator = Blur.gaussian(1.0, (1, 9, 9))
    samples = torch.rand(3, 2, 1, 9, 9)
    problem = InverseProblem(operator, torch.rand(2, 1, 9, 9), GaussianNoise(0.5))
    found = standardised.residuals(problem, samples)
    assert isinstance(found, list) == held
    for _ in range(2):
        for x, each in zip(samples, found, strict=True):
            torch.testing.assert_close(each, (problem.y - operator(x)) / 0.5)
