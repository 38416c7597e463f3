"""Learning-rate schedules."""

from __future__ import annotations


def trapezoid(step: int, *, steps: int, warmup: int, decay_fraction: float) -> float:
    """The learning rate of ``step`` as a fraction of its peak: warm up, hold, fall to zero.

    Until the decay begins the schedule does not depend on ``steps``, so a run can be made longer
    (Hägele et al. 2024, Sec. 3).
    """
    rise = min(1.0, (step + 1) / max(1, warmup))
    decay = max(1.0, decay_fraction * steps)
    return min(rise, max(0.0, (steps - step) / decay))
