"""Warnings where samples lie beyond the clip of an operator."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from invscore import GaussianNoise, InverseProblem, reconstruct, simulate
from invscore.bench.posterior.pixels import GAUSSIAN, IndependentPixels, Pixelwise
from invscore.operators import NonlinearOperator
from invscore.uncertainty import clipping_warnings

SHAPE = (1, 10, 10)
Function = Callable[[Tensor], Tensor]


def told(function: Function, seed: int = 0) -> tuple[str, ...]:
    prior, operator = IndependentPixels(*GAUSSIAN), Pixelwise(function)
    y = simulate(operator, prior.sample(1, seed), GaussianNoise(0.2), seed)
    problem = InverseProblem(operator, y, GaussianNoise(0.2))
    return reconstruct(problem, prior, samples=4, scale=1.0).warnings


def test_a_sensor_that_clips_most_of_the_image_is_told() -> None:
    """Of normal pixels 62 % lie beyond a half."""
    (sentence,) = told(lambda x: x.clamp(-0.5, 0.5))
    assert "the operator clips" in sentence
    assert 50 <= int(sentence.split("clips ")[1].split("%")[0]) <= 75


@pytest.mark.parametrize("function", [torch.exp, torch.tanh, torch.square, lambda x: x**3])
def test_an_operator_that_bends_is_not(function: Function) -> None:
    assert told(function) == ()


def test_a_clip_that_few_pixels_reach_is_not() -> None:
    assert told(lambda x: x.clamp(-2, 2)) == ()


class Masked(NonlinearOperator):
    """A clip, behind a mask that passes a fifth of the image."""

    in_shape = out_shape = SHAPE

    def __init__(self, limit: float) -> None:
        self.limit = limit

    def __call__(self, x: Tensor) -> Tensor:
        mask = torch.zeros(SHAPE)
        mask[:, :2] = 1
        return mask * x.clamp(-self.limit, self.limit)


@pytest.mark.parametrize(("limit", "warned"), [(10.0, False), (0.5, True)])
def test_what_is_never_measured_is_not_clipped(limit: float, warned: bool) -> None:
    problem = InverseProblem(Masked(limit), torch.zeros(1, *SHAPE), GaussianNoise(0.2))
    samples = torch.randn(6, 1, *SHAPE, generator=torch.Generator().manual_seed(0))
    assert bool(clipping_warnings(problem, samples)) == warned
    assert clipping_warnings(problem, samples.to(torch.complex64)) == ()
