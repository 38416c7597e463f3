"""The initial guess: where methods start."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

from invscore.likelihood import InverseProblem
from invscore.priors.base import Prior
from invscore.rng import SampleRNG
from invscore.sampling import terminal

Initial = Literal["guess", "noise"]
"""Where a method starts: ``guess``, an estimate from the measurement, or ``noise``, as the prior
alone would."""

Start = Callable[[InverseProblem, Prior, float, SampleRNG], Tensor]
STARTS: dict[str, Start] = {}
"""What begins at a level sigma, (b, \\*in_shape), by ``initial``. ``"guess"`` is entered by
``invscore.methods.gaussian_field.first_guess``."""


def initial_guess(
    problem: InverseProblem, prior: Prior, sigma: float, rng: SampleRNG, initial: Initial = "guess"
) -> Tensor:
    """Where a method starts at the level ``sigma``: (b, \\*in_shape).

    ``"noise"``: what is left of images at sigma, ``N(m, v + sigma^2)`` in each pixel with the
    prior's mean and variance: the start of samplers in their papers, whose first sigma hides all.

    ``"guess"``: a first guess at the images, plus noise of deviation sigma. The guess is the
    posterior mean of a linear problem under a Gaussian prior of the prior's mean and variance: for
    images, (\\*channels, h, w), a field with a power-law spectrum, so that a hole is filled from
    around it; for vectors, (n,), white and under Gaussian noise. Elsewhere it is the prior's mean.
    With it, a sampler may begin at a level that hides only what the measurement leaves open (Chung
    et al. 2022, "Come-closer-diffuse-faster"); at far higher ones the guess does not count.
    """
    return STARTS[initial](problem, prior, sigma, rng)


def start(initial: Initial) -> Callable[[Start], Start]:
    """Enter a function among ``STARTS``."""

    def enter(function: Start) -> Start:
        STARTS[initial] = function
        return function

    return enter


@start("noise")
def noise(problem: InverseProblem, prior: Prior, sigma: float, rng: SampleRNG) -> Tensor:
    """``N(m, v + sigma^2)``, whatever was measured."""
    return terminal.draw(prior, unheld(problem), sigma, rng)


def unheld(problem: InverseProblem) -> Tensor:
    """Zeros like the images, (b, \\*in_shape), of which one number is held in memory."""
    nothing = torch.zeros((), dtype=problem.image_dtype, device=problem.y.device)
    return nothing.expand(len(problem.y), *problem.operator.in_shape)
