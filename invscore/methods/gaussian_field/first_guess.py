"""The first guess at images: what a linear measurement says of a Gaussian of a prior's moments."""

from __future__ import annotations

from torch import Tensor

from invscore.likelihood import GaussianNoise, InverseProblem
from invscore.methods.common.initial_guess import start, unheld
from invscore.methods.gaussian_field.power_law import EXPONENT, field_draw, field_mean
from invscore.operators import LinearOperator
from invscore.priors.base import Prior
from invscore.rng import SampleRNG


@start("guess")
def guess(problem: InverseProblem, prior: Prior, sigma: float, rng: SampleRNG) -> Tensor:
    """The posterior mean, plus noise of deviation ``sigma``: see ``initial_guess``."""
    like = unheld(problem)
    # A number in the place of every pixel: nothing as large as an image is held.
    mean = (like.new_zeros(()) + prior.mean).expand(like.shape)
    return posterior_mean(problem, prior, mean) + sigma * rng.normal_like(like)


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
    return mean + operator.ridge(y - operator.matvec(mean.contiguous()), variance / prior.variance)


def posterior_draw(problem: InverseProblem, prior: Prior, rng: SampleRNG) -> Tensor:
    """A draw of the posterior whose mean is ``posterior_mean``: of images (c, h, w), linear y.

    A level of noise hides, over many pixels, little of what is coarse: samplers that start at the
    mean take what it has where nothing is measured, in a hole or beyond a border, for the truth.
    States of posterior draws and noise have the law that they should have at any level.
    """
    operator, like = problem.operator, unheld(problem)
    assert isinstance(operator, LinearOperator)
    mean = (like.new_zeros(()) + prior.mean).expand(like.shape)
    common = 0.0 if prior.detail is None else prior.detail.common
    return field_draw(problem, operator, mean, EXPONENT, prior.variance, rng, common)
