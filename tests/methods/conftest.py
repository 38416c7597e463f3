"""The law of a sampler whose steps are affine in the state and the noise, read off without
chance."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from invscore.likelihood import InverseProblem
from invscore.methods import METHODS
from invscore.priors import Prior
from invscore.rng import SampleRNG


class Impulses(SampleRNG):
    """The first image of a batch gets no noise, each other one a single unit of it, all in
    different places: they show the affine map from noise to results."""

    def __init__(self) -> None:
        super().__init__([])
        self.drawn = 0

    def normal_like(self, x: Tensor) -> Tensor:
        if x.is_complex():
            return torch.view_as_complex(self.normal_like(torch.view_as_real(x)))
        flat = torch.zeros_like(x).flatten(1)
        rows = 1 + self.drawn + torch.arange(flat.shape[1])
        inside = rows < len(x)
        flat[rows[inside], torch.arange(flat.shape[1])[inside]] = 1
        self.drawn += flat.shape[1]
        return flat.reshape(x.shape)


Law = tuple[Tensor, Tensor]


def law_of(draw: Callable[[InverseProblem, SampleRNG], Tensor], problem: InverseProblem) -> Law:
    """Mean and covariance of what ``draw`` gives for a problem with one measurement."""
    rng = Impulses()
    draw(problem, rng)
    copies = torch.zeros(1 + rng.drawn, dtype=torch.long)
    x = draw(problem.select(copies), Impulses()).flatten(1)
    return x[0], (x[1:] - x[0]).T @ (x[1:] - x[0])


def law_of_method(name: str, problem: InverseProblem, prior: Prior, **options: Any) -> Law:
    """Mean and covariance of the results of a method."""
    info = METHODS[name]

    def draw(task: InverseProblem, rng: SampleRNG) -> Tensor:
        *_, last = info.run(task, prior, rng, **info.options(options))
        return last.x

    return law_of(draw, problem)


@pytest.fixture
def law() -> Callable[..., Law]:
    return law_of_method


@pytest.fixture
def law_of_draw() -> Callable[..., Law]:
    return law_of


@pytest.fixture
def silence() -> SampleRNG:
    """No noise at all, for one image."""
    return Impulses()
