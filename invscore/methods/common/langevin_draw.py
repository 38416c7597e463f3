"""Draws from a likelihood of any kind times independent Gaussians."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from invscore.likelihood import GaussianNoise, InverseProblem
from invscore.methods.common.proximal import proximal
from invscore.methods.common.whitened import Whitened
from invscore.operators import Operator, jacobian
from invscore.operators.base import broadcast
from invscore.operators.cg import inner
from invscore.rng import SampleRNG, random_signs

FALL = 20.0
"""Largest loss of log-density of a step, in nats for each number."""
FARTHEST = 1.0
"""Largest move of a number by the gradient in a step, in standard deviations of the Gaussian."""
NEWTON, PRODUCTS = 6, 10
"""Gauss-Newton steps to the mode where a draw begins, and iterations of conjugate gradients in
each."""
PROBES, POWERS = 4, 10
"""Products with J^H that estimate the diagonal of the curvature, and power iterations with J^H J
for its largest eigenvalue."""


class WhitenedPixels(Whitened):
    """``A(centre + deviation * w)`` as a function of w."""

    def __init__(self, operator: Operator, centre: Tensor, deviation: Tensor) -> None:
        super().__init__(operator, centre)
        self.deviation = deviation

    def away(self, w: Tensor) -> Tensor:
        return self.deviation * w

    def back(self, x: Tensor) -> Tensor:
        return self.deviation * x


def langevin_draw(
    problem: InverseProblem,
    centre: Tensor,
    deviation: Tensor,
    rng: SampleRNG,
    *,
    mcmc_steps: int,
    step_size: float,
) -> Tensor:
    """A draw from ``p(y | z) N(z; centre, deviation^2)`` for any operator and noise, one an image.

    ``deviation``, real and above 0, is broadcast against ``centre``. In the coordinates in which
    the Gaussian is standard, begins where a draw of it and one of the noise are explained best
    together, by Gauss-Newton steps (randomised maximum likelihood, exact of a linear operator and
    Gaussian noise; Oliver et al. 1996): on one of the branches of a likelihood with several, that
    of the draw. ``mcmc_steps`` of Langevin dynamics from there mend what the operator bends: each
    number has a step of its own, ``step_size`` over the curvature there (the diagonal of
    ``J^H J / s^2 + I``, scaled to bound the whole), the noise of a step is the mean of two, with
    which Gaussian laws are kept whatever the step (Leimkuhler & Matthews 2013), and the gradient
    moves no number by more than ``FARTHEST``. A step that loses more log-density than draws differ
    by (``FALL``) is not made, and those that follow are half as long.
    """
    deviation = deviation.expand(centre.shape)
    white = WhitenedPixels(problem.operator, centre, deviation)
    task = replace(problem, operator=white)
    drawn = rng.normal_like(centre)
    gaussian = isinstance(problem.noise, GaussianNoise)
    noisy = replace(task, y=problem.noise.sample(problem.y, rng)) if gaussian else task
    w = proximal(noisy, drawn, 1.0, iterations=NEWTON, products=PRODUCTS)
    if mcmc_steps == 0:
        return white.image(w)

    def log_density(w: Tensor) -> Tensor:
        return task.log_likelihood(w) - inner(w, w).flatten() / 2

    numbers = (2 if centre.is_complex() else 1) * centre[0].numel()
    time = step_size / curvature(task, w)
    reached, before = log_density(w), rng.normal_like(w)
    for _ in range(mcmc_steps):
        after = rng.normal_like(w)
        move = time * (task.score(w) - w)
        move = move / (move.abs() / FARTHEST).clamp_min(1)
        proposal = w + move + (2 * time).sqrt() * (before + after) / 2
        there = log_density(proposal)
        made = there > reached - FALL * numbers  # what is not a number is not
        reached = torch.where(made, there, reached)
        kept = broadcast(made.to(reached.dtype), w)
        w = torch.where(kept > 0, proposal, w)
        time, before = (0.5 + 0.5 * kept) * time, after
    return white.image(w)


def curvature(problem: InverseProblem, w: Tensor) -> Tensor:
    """A diagonal that bounds ``J^H J / s^2 + I``, J the operator's Jacobian at ``w``; like w, real.

    Its diagonal, by products of J^H with random signs, times the largest ratio of the two.
    """
    tangent = jacobian(problem.operator, w)
    variance = problem.noise.variance(problem.operator(w))
    generator = torch.Generator().manual_seed(0)

    # One for all images: what an image gets does not depend on its place in the batch.
    diagonal = torch.ones_like(w.real)
    for _ in range(PROBES):
        signs = random_signs(problem.y.shape[1:], problem.y.dtype, generator).to(variance.device)
        back = tangent.rmatvec(signs.expand(problem.y.shape) / variance.sqrt())
        diagonal = diagonal + back.abs() ** 2 / (PROBES * (2 if w.is_complex() else 1))
    root = diagonal.sqrt()
    v = torch.randn(w.shape[1:], dtype=w.dtype, generator=generator).to(w.device).expand(w.shape)
    for _ in range(POWERS):
        v = v / inner(v, v).sqrt().clamp_min(1e-30)
        scaled = v / root
        v = (tangent.rmatvec(tangent.matvec(scaled) / variance) + scaled) / root
    return diagonal * inner(v, v).sqrt().clamp_min(1)
