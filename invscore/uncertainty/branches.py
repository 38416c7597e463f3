"""Whether samples lie on several branches of a nonlinear operator, between which it turns."""

from __future__ import annotations

from itertools import combinations

import torch
from torch import Tensor

from invscore.likelihood import InverseProblem
from invscore.priors.base import Prior
from invscore.rng import sample_rng

MOST = 6
"""Largest number of samples that are compared."""
REVERSED = 0.05
"""Share of what two samples' Jacobians are together, where they have opposite signs, from which on
it is told. Of exp, tanh and cubes it is 0; of squares of pixels of which a tenth are negative 0.13
and 0.18."""
EVEN = 1e-4
"""Relative deviation up to which an operator is even, and a prior odd."""


@torch.no_grad()
def branch_warnings(problem: InverseProblem, prior: Prior, samples: Tensor) -> tuple[str, ...]:
    """A sentence where A rises with a number of the image at one of ``samples``,
    (n, b, \\*in_shape), and falls with it at another: both explain y, on branches between which A
    turns, as x and -x do behind squares.

    Nothing is said where one branch is the mirror image of the other, in A and in ``prior``, so
    that they are as likely, nor of complex images. Samples are in units of the prior.

        >>> import torch
        >>> from invscore import GaussianNoise, GaussianPrior, InverseProblem
        >>> from invscore.operators import from_function
        >>> from invscore.uncertainty import branch_warnings
        >>> squares = from_function(torch.square, (1, 4, 4), linear=False)
        >>> problem = InverseProblem(squares, torch.ones(1, 1, 4, 4), GaussianNoise(0.1))
        >>> samples = torch.ones(4, 1, 1, 4, 4)
        >>> prior = GaussianPrior(torch.full((1, 4, 4), 0.2), 1.0)
        >>> branch_warnings(problem, prior, samples)
        ()
        >>> samples[:2] = -1
        >>> branch_warnings(problem, prior, samples)[0].split(":")[0]
        'the operator turns between samples, which lie on several branches of it'
    """
    operator, y = problem.operator, problem.y
    if samples.is_complex() or len(samples) < 2:
        return ()
    direction = sample_rng(0, 1, "branches", y.device).normal_like(y[:1]).expand(y.shape)
    slopes = [operator.vjp(x, direction).flatten(1) for x in samples[:MOST]]
    products = [a * b for a, b in combinations(slopes, 2)]
    total = torch.stack([each.abs() for each in products]).sum(dim=(0, 2))
    opposed = torch.stack([(-each).clamp_min(0) for each in products]).sum(dim=(0, 2))
    if not bool((opposed > REVERSED * total).any()) or _mirrored(problem, prior, samples[0]):
        return ()
    return (
        "the operator turns between samples, which lie on several branches of it: how likely each "
        "is, they do not tell",
    )


def _mirrored(problem: InverseProblem, prior: Prior, x: Tensor) -> bool:
    """Whether A(-x) is A(x), and D(-x) is -D(x)."""
    measured, other = problem.operator(x), problem.operator(-x)
    if (other - measured).abs().max() > EVEN * measured.abs().max():
        return False
    denoised, other = (prior.denoise(each, prior.unit) for each in (x, -x))
    return bool((denoised + other).abs().max() <= EVEN * denoised.abs().max())
