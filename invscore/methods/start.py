"""Where samplers begin."""

from __future__ import annotations

import torch
from torch import Tensor

from invscore.likelihood import GaussianNoise, InverseProblem
from invscore.operators import LinearOperator
from invscore.priors.base import Prior
from invscore.rng import SampleRNG


def begin(problem: InverseProblem, prior: Prior, sigma: float, rng: SampleRNG) -> Tensor:
    """A first guess at the images, plus noise of deviation ``sigma``: (b, \\*in_shape).

    The guess is the posterior mean under a white Gaussian prior of the prior's mean and variance
    where the problem is linear with Gaussian noise, and the prior's mean elsewhere. Pure noise
    would do at a sigma beyond the size of whole images, where the guess no longer counts; with it,
    a sampler may begin at a level that hides only what the measurement leaves open (Chung et al.
    2022, "Come-closer-diffuse-faster").
    """
    shape = (len(problem.y), *problem.operator.in_shape)
    guess = torch.zeros(shape, dtype=problem.image_dtype, device=problem.y.device) + prior.mean
    if isinstance(problem.operator, LinearOperator) and isinstance(problem.noise, GaussianNoise):
        operator, y, variance = problem.linear_gaussian("begin")
        mismatch = operator.rmatvec(y - operator.matvec(guess))
        guess = guess + operator.solve(mismatch, variance / prior.variance)
    return guess + sigma * rng.normal_like(guess)
