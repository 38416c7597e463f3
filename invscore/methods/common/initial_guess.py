"""The initial guess: where methods start."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from invscore.likelihood import GaussianNoise, InverseProblem
from invscore.operators import LinearOperator
from invscore.priors.base import Prior
from invscore.rng import SampleRNG
from invscore.sampling import terminal

Initial = Literal["guess", "noise"]
"""Where a method starts: at what the measurement says at once, or where its prior alone would."""


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
    shape = (len(problem.y), *problem.operator.in_shape)
    # A number in the place of every pixel: nothing as large as an image is held.
    nothing = torch.zeros((), dtype=problem.image_dtype, device=problem.y.device)
    like = nothing.expand(shape)
    if initial == "noise":
        return terminal.draw(prior, like, sigma, rng)
    guess = posterior_mean(problem, prior, (nothing + prior.mean).expand(shape))
    return guess + sigma * rng.normal_like(like)


def posterior_mean(problem: InverseProblem, prior: Prior, mean: Tensor) -> Tensor:
    """``mean``, (b, \\*in_shape), moved by what a linear measurement says."""
    operator = problem.operator
    if not isinstance(operator, LinearOperator):
        return mean
    if len(operator.in_shape) > 1:
        # Here, since whoever reads how a method starts from noise needs nothing of fields.
        from invscore.methods.gaussian_field.power_law import EXPONENT, field_mean

        return field_mean(problem, operator, mean, EXPONENT, prior.variance)
    if not isinstance(problem.noise, GaussianNoise):
        return mean
    _, y, variance = problem.linear_gaussian("initial_guess")
    return mean + operator.ridge(y - operator.matvec(mean.contiguous()), variance / prior.variance)
