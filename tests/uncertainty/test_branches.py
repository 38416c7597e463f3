"""Warnings where samples lie on several branches of an operator."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from invscore import GaussianNoise, InverseProblem, reconstruct, simulate
from invscore.bench.posterior.pixels import GAUSSIAN, SPARSE, IndependentPixels, Law, Pixelwise
from invscore.operators import from_function
from invscore.uncertainty import branch_warnings

UNEQUAL: Law = ([0.5, 0.5], [-0.8, 1.5], [0.2, 0.5])
POSITIVE: Law = ([1.0], [2.0], [0.3])


def told(law: Law, function: Callable[[Tensor], Tensor]) -> tuple[str, ...]:
    prior, operator, noise = IndependentPixels(*law), Pixelwise(function), GaussianNoise(0.2)
    y = simulate(operator, prior.sample(1, 0), noise, 0)
    return reconstruct(InverseProblem(operator, y, noise), prior, samples=4, scale=1.0).warnings


def test_squares_of_pixels_that_have_either_sign_are_told() -> None:
    """Samples are as often negative as positive there, off by 0.25; a narrow mode is missed."""
    (sentence,) = told(UNEQUAL, torch.square)
    assert "lie on several branches" in sentence


@pytest.mark.parametrize(
    ("law", "function"),
    [
        (POSITIVE, torch.square),
        (GAUSSIAN, torch.square),
        (SPARSE, torch.square),
        (UNEQUAL, torch.exp),
        (UNEQUAL, lambda x: x**3),
    ],
)
def test_one_branch_or_equal_ones_are_not(law: Law, function: Callable[[Tensor], Tensor]) -> None:
    assert told(law, function) == ()


@pytest.mark.parametrize(("share", "expected"), [(0.04, False), (0.06, True)])
def test_how_much_must_be_on_another_branch(share: float, expected: bool) -> None:
    operator = from_function(torch.abs, (1, 100, 100), linear=False)
    problem = InverseProblem(operator, torch.ones(1, 1, 100, 100), GaussianNoise(0.2))
    samples = torch.ones(2, 1, 1, 100, 100)
    samples[1].flatten()[: int(share * 10_000)] = -1
    assert bool(branch_warnings(problem, IndependentPixels(*POSITIVE), samples)) == expected
