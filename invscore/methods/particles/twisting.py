"""The twist of sequential Monte Carlo: what noisy images tell of the likelihood of clean ones."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from invscore.likelihood import GaussianNoise, InverseProblem
from invscore.methods.common.tempering import mean_variance
from invscore.operators import LinearOperator
from invscore.operators.base import broadcast
from invscore.operators.cg import inner
from invscore.priors.base import Prior

Pull = Callable[[Tensor], Tensor]
SMALLEST = 1e-4
"""Least variance of a pixel in a proposal, relative to the typical one."""
FARTHEST = 5.0
"""Largest move of a pixel by a general likelihood in a step, in standard deviations given x."""
UNLIKELY = -1e30
"""Finite stand-in for a log-likelihood of minus infinity, so that weights can be compared."""


def linear_twist(
    problem: InverseProblem, prior: Prior, denoised: Tensor, pull: Pull, sigma: float
) -> tuple[Tensor, Tensor]:
    """``log psi``, (b,), an estimate of ``log p(y | x)``, and about its gradient in x.

    ``psi = N(y; A D, s^2 I + r^2 A A^H)`` up to a constant, for a linear operator and Gaussian
    noise s. ``r^2`` is the variance of the clean image given x in the direction u in which the data
    pull D: ``sigma^2 <u, J u> / <u, u>``, J the Jacobian of D, so that an image which is still
    undecided is not judged as if it were (Boys et al. 2023 have the whole ``sigma^2 J``). The same
    product with J gives the gradient, its change of direction with r^2 left out. Any positive psi
    keeps sequential Monte Carlo exact; a better one makes it quicker.
    """
    operator, y, variance = problem.linear_gaussian("smc")
    residual = y - operator.matvec(denoised)
    typical = prior.variance * sigma**2 / (prior.variance + sigma**2)
    u = operator.ridge(residual, variance / typical)
    product, square = pull(u), inner(u, u).clamp_min(torch.finfo(u.real.dtype).tiny)
    least = SMALLEST * typical
    width = (sigma**2 * inner(u, product) / square).clamp_min(least)

    # The best explanation of the residual, by an error of D and by noise; its cost is
    # r^H (s^2 I + r^2 A A^H)^-1 r, without loss of digits where s is small.
    error = operator.ridge(residual, variance / width.flatten())
    rest = residual - operator.matvec(error)
    cost = inner(rest, rest).flatten() / variance + (inner(error, error) / width).flatten()
    volume = log_volume(operator, y, variance, width.flatten())
    return -0.5 * (cost + volume), inner(u, error) / width / square * product


def log_volume(operator: LinearOperator, y: Tensor, variance: Tensor, width: Tensor) -> Tensor:
    """``log det(variance I + width A A^H)``, (b,); where the operator has no SVD, as if all its
    singular values were alike."""
    parts = 2 if y.is_complex() else 1
    try:
        f = operator.svd(y.real.dtype)
    except NotImplementedError:
        generator = torch.Generator().manual_seed(0)
        probe = torch.randn(y.shape[1:], generator=generator, dtype=y.dtype).to(y.device)[None]
        if operator.measured is not None:
            probe = torch.where(operator.measured.to(y.device), probe, 0)
        back = operator.rmatvec(probe)
        mean_square = inner(back, back).flatten() / inner(probe, probe).flatten()
        entries = y[0].numel() if operator.measured is None else int(operator.measured.sum())
        return parts * entries * (variance + width * mean_square).log()
    coefficients = f.uh(y)
    each = broadcast(variance, coefficients) + broadcast(width, coefficients) * f.s**2
    return parts * each.expand(coefficients.shape).log().flatten(1).sum(dim=1)


def general_twist(
    problem: InverseProblem,
    prior: Prior,
    strength: Tensor,
    denoised: Tensor,
    pull: Pull,
    sigma: float,
) -> tuple[Tensor, Tensor]:
    """``log psi = w log p(y | D)``, (b,), and its gradient in x, for any operator and noise.

    ``w = s^2 / (s^2 + strength r^2)`` is the weight of ``tempering`` at the prior's deviation of a
    pixel given x, ``r^2 = v sigma^2 / (v + sigma^2)``, ``strength`` being the operator's ``|A|^2``.
    """
    variance = broadcast(mean_variance(problem), denoised)
    typical = prior.variance * sigma**2 / (prior.variance + sigma**2)
    weight = variance / (variance + strength * typical)
    potential = weight.flatten() * likelihood(problem, denoised)
    gradient = pull(weight * problem.score(denoised))
    gradient = torch.where(gradient.isfinite(), gradient, 0)
    return potential, gradient / (sigma**2 * gradient.abs() / (FARTHEST * typical**0.5)).clamp_min(
        1
    )


def likelihood(problem: InverseProblem, denoised: Tensor) -> Tensor:
    """``log p(y | denoised)``, (b,), or ``UNLIKELY``: always finite."""
    return (
        problem.log_likelihood(denoised).nan_to_num(UNLIKELY, neginf=UNLIKELY).clamp_min(UNLIKELY)
    )


def is_linear_gaussian(problem: InverseProblem) -> bool:
    """Whether the operator is linear and the noise Gaussian."""
    return isinstance(problem.operator, LinearOperator) and isinstance(problem.noise, GaussianNoise)
