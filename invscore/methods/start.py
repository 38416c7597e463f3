"""Where samplers begin."""

from __future__ import annotations

import torch
from torch import Tensor

from invscore.likelihood import GaussianNoise, InverseProblem
from invscore.methods.field_posterior import Field, FieldPosterior
from invscore.methods.rings import Rings
from invscore.operators import LinearOperator
from invscore.priors.base import Prior
from invscore.priors.stationary import StationaryGaussianPrior
from invscore.rng import SampleRNG

EXPONENT = 3.0
"""Of the power of images: that of photographs falls with 2 (Field 1987), and 3 serves better."""


def begin(problem: InverseProblem, prior: Prior, sigma: float, rng: SampleRNG) -> Tensor:
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
    _, y, variance = problem.linear_gaussian("begin")
    mismatch = operator.rmatvec(y - operator.matvec(mean))
    return mean + operator.solve(mismatch, variance / prior.variance)


def field_mean(
    problem: InverseProblem,
    operator: LinearOperator,
    mean: Tensor,
    exponent: float,
    variance: float,
) -> Tensor:
    """The posterior mean of a Gaussian field of power ``|f|^-exponent`` and pixel ``variance``.

    ``mean``: that of the field, (b, \\*channels, h, w).
    """
    rings = Rings(mean)
    field = StationaryGaussianPrior.power_law(
        operator.in_shape, exponent=exponent, variance=variance, dtype=mean.real.dtype
    )
    columns = rings.spectrum(mean[:1]).shape[-1]
    c = field.spectrum[None, ..., :columns].to(mean.device)
    posterior = FieldPosterior(problem, operator, rings, tolerance=1e-6)
    return posterior.mean(mean, Field(c, torch.ones_like(c[..., :1, :1])))
