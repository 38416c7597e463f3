"""The initial guess: where methods start."""

from __future__ import annotations

import torch
from torch import Tensor

from invscore.likelihood import GaussianNoise, InverseProblem
from invscore.methods.gaussian_field.power_law import EXPONENT, field_mean
from invscore.operators import LinearOperator
from invscore.priors.base import Prior
from invscore.rng import SampleRNG


def initial_guess(problem: InverseProblem, prior: Prior, sigma: float, rng: SampleRNG) -> Tensor:
    """A first guess at the images, plus noise of deviation ``sigma``: (b, \\*in_shape).

    The guess is the posterior mean of a linear problem under a Gaussian prior of the prior's mean
    and variance: for images, (\\*channels, h, w), a field with a power-law spectrum, so that a hole
    is filled from around it; for vectors, (n,), white and under Gaussian noise. Elsewhere it is the
    prior's mean. Pure noise would do at a sigma beyond the size of whole images, where the guess no
    longer counts; with it, a sampler may begin at a level that hides only what the measurement
    leaves open (Chung et al. 2022, "Come-closer-diffuse-faster").
    """
    shape = (len(problem.y), *problem.operator.in_shape)
    mean = torch.zeros(shape, dtype=problem.image_dtype, device=problem.y.device) + prior.mean
    return posterior_mean(problem, prior, mean) + sigma * rng.normal_like(mean)


def posterior_mean(problem: InverseProblem, prior: Prior, mean: Tensor) -> Tensor:
    """``mean``, (b, \\*in_shape), moved by what a linear measurement says."""
    operator = problem.operator
    if not isinstance(operator, LinearOperator):
        return mean
    if len(operator.in_shape) > 1:
        return field_mean(problem, operator, mean, EXPONENT, prior.variance)
    if not isinstance(problem.noise, GaussianNoise):
        return mean
    _, y, variance = problem.linear_gaussian("initial_guess")
    return mean + operator.ridge(y - operator.matvec(mean), variance / prior.variance)
