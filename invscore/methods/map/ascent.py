"""Shared parts of the optimisers: a homotopy to begin with, and when to accept a step."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from invscore import levels
from invscore.likelihood import InverseProblem
from invscore.methods.base import Step
from invscore.methods.common.initial_guess import Initial, initial_guess
from invscore.methods.common.log_posterior import LogPosterior
from invscore.methods.common.proximal import at_least_zero
from invscore.methods.common.tempering import tempering
from invscore.operators.cg import inner
from invscore.priors.base import Prior
from invscore.rng import SampleRNG

SUFFICIENT = 0.1
"""The share of the rise promised by the slope that a step has to achieve."""


def anneal(
    problem: InverseProblem,
    prior: Prior,
    rng: SampleRNG,
    steps: int,
    final: float,
    initial: Initial,
    *,
    nonnegative: bool = False,
) -> Generator[Step, None, Tensor]:
    """Climb while the smoothing of the prior falls from its width to ``final``: the last image.

    The likelihood is tempered so that steps of level^2 / 2 suit both terms.
    """
    wide = levels.of_pixel(prior, 1.0)
    x = initial_guess(problem, prior, wide, rng, initial)
    x = at_least_zero(x) if nonnegative else x
    weight = tempering(problem, x)
    for level in levels.geometric(steps, wide, final):
        denoised = prior.denoise(x, level)
        gradient = (denoised - x) / level**2 + weight(level) * problem.score(x)
        x = x + level**2 / 2 * gradient
        x = at_least_zero(x) if nonnegative else x
        yield Step(x, denoised, level)
    return x


@dataclass(frozen=True)
class Point:
    """An image, the gradient of the log posterior and the denoised image there; its value where
    the prior has a log-density, (b, 1, ..., 1)."""

    x: Tensor
    gradient: Tensor
    denoised: Tensor
    value: Tensor | None

    @classmethod
    def unseen(cls, log_posterior: LogPosterior, x: Tensor) -> Self:
        """A point of which nothing is known, so that the first look at it is accepted."""
        lowest = (
            torch.full_like(inner(x, x), -torch.inf) if log_posterior.prior.has_density else None
        )
        return cls(x, torch.zeros_like(x), x, lowest)

    @classmethod
    def seen(cls, log_posterior: LogPosterior, x: Tensor) -> Self:
        """One evaluation of the denoiser, and one of the log-density where there is one."""
        gradient, denoised = log_posterior.gradient(x)
        return cls(
            x,
            gradient,
            denoised,
            log_posterior.value(x) if log_posterior.prior.has_density else None,
        )

    def accepts(self, trial: Point) -> Tensor:
        """Whether going to ``trial`` climbs enough, (b, 1, ..., 1).

        Armijo's condition on the value. Where that is unknown, the slope at ``trial`` must not
        have fallen below -0.8 times its start, which on parabolas is the same (Hager & Zhang 2005,
        Eq. 4.1).
        """
        move = trial.x - self.x
        slope = inner(self.gradient, move)
        if self.value is None or trial.value is None:
            enough = inner(trial.gradient, move) >= -(1 - 2 * SUFFICIENT) * slope
        else:
            rounding = 10 * torch.finfo(trial.value.dtype).eps * trial.value.abs()
            enough = trial.value - self.value >= SUFFICIENT * slope - rounding
        return enough & (slope >= 0)

    def or_if(self, accepted: Tensor, trial: Point) -> Point:
        """``trial`` for the images where it is accepted, this point for the others."""
        return Point(
            torch.where(accepted, trial.x, self.x),
            torch.where(accepted, trial.gradient, self.gradient),
            torch.where(accepted, trial.denoised, self.denoised),
            None
            if self.value is None or trial.value is None
            else torch.where(accepted, trial.value, self.value),
        )
