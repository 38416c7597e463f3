"""The proximal step on the data term, which splitting methods share."""

from __future__ import annotations

import torch
from torch import Tensor

from invscore.batches import PerImage, per_image
from invscore.likelihood import GaussianNoise, InverseProblem
from invscore.operators import LinearOperator, jacobian
from invscore.operators.base import broadcast
from invscore.operators.cg import conjugate_gradient, inner

ITERATIONS = 8
HALVINGS = 6


def proximal(problem: InverseProblem, centre: Tensor, width: PerImage) -> Tensor:
    """The minimiser z of ``-log p(y | z) + |z - centre|^2 / (2 width^2)``, (b, \\*in_shape).

    Exact with a linear operator and Gaussian noise: ``ridge`` of the operator. Otherwise a few
    steps of Fisher's scoring from the centre (Gauss-Newton with Gaussian noise), each halved until
    the objective falls; an image for which no such step is found stays where it is. ``width`` in
    image units, a number or one an image.
    """
    square = per_image(width, centre, "width") ** 2
    if isinstance(problem.operator, LinearOperator) and isinstance(problem.noise, GaussianNoise):
        operator, y, variance = problem.linear_gaussian("proximal")
        rho = broadcast(variance, centre) / square
        return centre + operator.ridge(y - operator.matvec(centre), rho.flatten())

    def cost(z: Tensor) -> Tensor:
        away = z - centre
        return inner(away, away) / (2 * square) - broadcast(problem.log_likelihood(z), z)

    z = centre
    for _ in range(ITERATIONS):
        tangent, variance = (
            jacobian(problem.operator, z),
            problem.noise.variance(problem.operator(z)),
        )

        def curvature(v: Tensor, tangent: LinearOperator = tangent, s: Tensor = variance) -> Tensor:
            return tangent.rmatvec(tangent.matvec(v) / s) + v / square

        move = conjugate_gradient(curvature, problem.score(z) + (centre - z) / square)
        before = cost(z)
        moved = torch.zeros_like(before, dtype=torch.bool)
        start = z
        for halving in range(HALVINGS):
            trial = start + 0.5**halving * move
            falls = (cost(trial) < before) & ~moved
            z, moved = torch.where(falls, trial, z), moved | falls
    return z
