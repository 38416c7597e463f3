"""The proximal step on the data term, which splitting methods share."""

from __future__ import annotations

import torch
from torch import Tensor

from invscore.batches import PerImage, per_image
from invscore.likelihood import GaussianNoise, InverseProblem
from invscore.methods.tempering import mean_variance
from invscore.operators import LinearOperator, jacobian
from invscore.operators.base import broadcast
from invscore.operators.cg import inner

ITERATIONS = 5
HALVINGS = 6


def proximal(problem: InverseProblem, centre: Tensor, width: PerImage) -> Tensor:
    """The minimiser z of ``-log p(y | z) + |z - centre|^2 / (2 width^2)``, (b, \\*in_shape).

    Exact with a linear operator and Gaussian noise: ``solve`` of the operator. Otherwise a few
    Gauss-Newton steps from the centre, each halved until the objective falls; an image for which
    no such step is found stays where it is. ``width`` in image units, a number or one an image.
    """
    square = per_image(width, centre, "width") ** 2
    if isinstance(problem.operator, LinearOperator) and isinstance(problem.noise, GaussianNoise):
        operator, y, variance = problem.linear_gaussian("proximal")
        rho = broadcast(variance, centre) / square
        return operator.solve(operator.rmatvec(y) + rho * centre, rho.flatten())

    def cost(z: Tensor) -> Tensor:
        away = z - centre
        return inner(away, away) / (2 * square) - broadcast(problem.log_likelihood(z), z)

    variance = broadcast(mean_variance(problem), centre)
    z = centre
    for _ in range(ITERATIONS):
        downhill = problem.score(z) + (centre - z) / square
        rho = (variance / square).flatten()
        move = jacobian(problem.operator, z).solve(variance * downhill, rho)
        before, moved = cost(z), torch.zeros_like(variance, dtype=torch.bool)
        start = z
        for halving in range(HALVINGS):
            trial = start + 0.5**halving * move
            falls = (cost(trial) < before) & ~moved
            z, moved = torch.where(falls, trial, z), moved | falls
    return z
