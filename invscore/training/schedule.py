"""Learning-rate schedules: the rate of a step as a fraction of its peak, after a linear rise."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from invscore.training.config import OptimiserConfig


def trapezoid(step: int, *, steps: int, warmup: int, decay_fraction: float) -> float:
    """Warm up, hold, fall to zero in a straight line.

    Until the decay begins the schedule does not depend on ``steps``, so a run can be made longer
    (Hägele et al. 2024, Sec. 3).
    """
    decay = max(1.0, decay_fraction * steps)
    return min(_rise(step, warmup), max(0.0, (steps - step) / decay))


def cosine(step: int, *, steps: int, warmup: int) -> float:
    """Warm up, then fall to zero along half a cosine (Loshchilov & Hutter 2017, Eq. 5)."""
    done = min(1.0, max(0, step - warmup) / max(1, steps - warmup))
    return min(_rise(step, warmup), (1 + math.cos(math.pi * done)) / 2)


def constant(step: int, *, warmup: int) -> float:
    """Warm up, then hold."""
    return _rise(step, warmup)


def learning_rate(options: OptimiserConfig, step: int) -> float:
    """The learning rate of ``step`` that the configuration asks for."""
    steps, warmup = options.steps, options.warmup
    match options.schedule:
        case "trapezoid":
            share = trapezoid(
                step, steps=steps, warmup=warmup, decay_fraction=options.decay_fraction
            )
        case "cosine":
            share = cosine(step, steps=steps, warmup=warmup)
        case "constant":
            share = constant(step, warmup=warmup)
    return options.learning_rate * share


def _rise(step: int, warmup: int) -> float:
    return min(1.0, (step + 1) / max(1, warmup))
