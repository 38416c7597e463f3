"""The proximal step on the data term, which splitting methods share."""

from __future__ import annotations

import torch
from torch import Tensor

from invscore.batches import PerImage, per_image
from invscore.likelihood import GaussianNoise, InverseProblem
from invscore.methods.common.tempering import mean_variance, squared_norm
from invscore.operators import LinearOperator, jacobian
from invscore.operators.base import broadcast
from invscore.operators.cg import conjugate_gradient, inner

ITERATIONS, PRODUCTS = 8, 200
HALVINGS = 6
SPLITTINGS, RELAXATION = 60, 1.6
"""Iterations of the constrained step (Douglas-Rachford splitting), and their over-relaxation."""


def proximal(
    problem: InverseProblem,
    centre: Tensor,
    width: PerImage,
    *,
    nonnegative: bool = False,
    iterations: int = ITERATIONS,
    products: int = PRODUCTS,
) -> Tensor:
    """The minimiser z of ``-log p(y | z) + |z - centre|^2 / (2 width^2)``, (b, \\*in_shape).

    Exact with a linear operator and Gaussian noise: ``ridge`` of the operator. Otherwise a few
    steps of Fisher's scoring from the centre (Gauss-Newton with Gaussian noise), each halved until
    the objective falls; an image for which no such step is found stays where it is. ``width`` in
    image units, a number or one an image. ``nonnegative``: the minimiser among images z >= 0, see
    ``_constrained``.

    Raises ``ValueError`` where complex images are to be nonnegative.
    """
    if nonnegative:
        return _constrained(problem, centre, width)
    square = per_image(width, centre, "width") ** 2
    if isinstance(problem.operator, LinearOperator) and isinstance(problem.noise, GaussianNoise):
        operator, y, variance = problem.linear_gaussian("proximal")
        rho = broadcast(variance, centre) / square
        return centre + operator.ridge(y - operator.matvec(centre), rho.flatten())

    def cost(z: Tensor) -> Tensor:
        away = z - centre
        return inner(away, away) / (2 * square) - broadcast(problem.log_likelihood(z), z)

    z = centre
    for _ in range(iterations):
        tangent, variance = (
            jacobian(problem.operator, z),
            problem.noise.variance(problem.operator(z)),
        )

        def curvature(v: Tensor, tangent: LinearOperator = tangent, s: Tensor = variance) -> Tensor:
            return tangent.rmatvec(tangent.matvec(v) / s) + v / square

        move = conjugate_gradient(
            curvature, problem.score(z) + (centre - z) / square, iterations=products
        )
        before = cost(z)
        moved = torch.zeros_like(before, dtype=torch.bool)
        start = z
        for halving in range(HALVINGS):
            trial = start + 0.5**halving * move
            falls = (cost(trial) < before) & ~moved
            z, moved = torch.where(falls, trial, z), moved | falls
    return z


def _constrained(problem: InverseProblem, centre: Tensor, width: PerImage) -> Tensor:
    """The proximal step among nonnegative images, by the alternating direction method.

    The data term and the constraint take turns (Boyd et al. 2011, Sec. 5.1), with the penalty
    ``|z - v|^2 / (2 t)``, t the geometric mean of the least and the largest curvature's inverse:
    each turn is a proximal step about a mean of two centres, and as exact as that. What is
    returned is v, which is nowhere negative.
    """
    v = at_least_zero(proximal(problem, centre, width))
    u = torch.zeros_like(v)
    square = per_image(width, centre, "width") ** 2
    variance, strength = (broadcast(mean_variance(problem), centre), squared_norm(problem, centre))
    share = (variance / (variance + strength * square)).sqrt()  # t over the square of the width
    narrow = (square * share / (1 + share)).expand(len(v), *[1] * (v.ndim - 1)).sqrt().flatten()
    for _ in range(SPLITTINGS):
        z = proximal(problem, (share * centre + v - u) / (1 + share), narrow)
        relaxed = RELAXATION * z + (1 - RELAXATION) * v
        v = (relaxed + u).clamp_min(0)
        u = u + relaxed - v
    return v


def at_least_zero(x: Tensor) -> Tensor:
    """The nonnegative image nearest to ``x``. Raises ``ValueError`` for a complex one."""
    if x.is_complex():
        raise ValueError("`nonnegative` must be false for complex images, got True")
    return x.clamp_min(0)
