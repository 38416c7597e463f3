"""Dormand and Prince's embedded Runge-Kutta method of orders 5 and 4, each image by itself."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from invscore.batches import per_image

Velocity = Callable[[Tensor, Tensor, Tensor], Tensor]
"""``dy/dt`` at times (k,), in float64, and states (k, \\*shape) of the images with indices (k,),
those whose end has not been reached."""

Excess = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]
"""``excess(t, before, after, error)``: the error of a step at times (k,), over what is allowed,
(k,). The states before and after the step and the error are (k, \\*shape)."""

# Dormand & Prince 1980; Hairer, Norsett & Wanner 1993, Table II.5.2.
NODES = (1 / 5, 3 / 10, 4 / 5, 8 / 9, 1.0, 1.0)
STAGES = (
    (1 / 5,),
    (3 / 40, 9 / 40),
    (44 / 45, -56 / 15, 32 / 9),
    (19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729),
    (9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656),
    (35 / 384, 0.0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84),
)
ERROR = (71 / 57600, 0.0, -71 / 16695, 71 / 1920, -17253 / 339200, 22 / 525, -1 / 40)

FIRST, SAFETY, SHRINK, GROW = 0.02, 0.9, 0.2, 5.0
"""First step as a share of the whole; safety factor, and bounds of the factors by which steps
change (ibid., Sec. II.4)."""

SMALLEST = 1e-4
"""Least step as a share of the whole: what asks for less is noise."""


def fixed(velocity: Velocity, y: Tensor, start: float, end: float, steps: int) -> Iterator[Tensor]:
    """``steps`` equal steps from ``start`` to ``end``, six evaluations each and one more."""
    everyone = torch.arange(len(y))
    t, h = _scalars(len(y), start), _scalars(len(y), (end - start) / steps)
    slope = velocity(t, y, everyone)
    for _ in range(steps):
        y, slope, _ = _step(velocity, t, y, h, slope, everyone)
        t = t + h
        yield y


def relative(rtol: float, atol: float) -> Excess:
    """The root mean square of a step's error over ``atol + rtol |y|``."""
    for name, value in {"rtol": rtol, "atol": atol}.items():
        if not 0 < value < math.inf:
            raise ValueError(f"`{name}` must be a positive number, got {value}")

    def excess(t: Tensor, before: Tensor, after: Tensor, error: Tensor) -> Tensor:  # noqa: ARG001
        allowed = atol + rtol * torch.maximum(before.abs(), after.abs())
        return root_mean_square(error.abs() / allowed)

    return excess


def root_mean_square(values: Tensor) -> Tensor:
    """Root mean square of real numbers, (k, \\*shape): (k,)."""
    return values.flatten(1).square().mean(dim=1).sqrt()


def adaptive(
    velocity: Velocity, y: Tensor, start: float, end: float, excess: Excess, parts: int
) -> Iterator[Tensor]:
    """Integration from ``start`` to ``end``; each image chooses its steps, ``excess`` at most 1.

    As no image waits for another, none depends on the company that it is in. How many steps there
    will be is not known, how far the last image has come is: the state is yielded ``parts`` times,
    whenever all are another such part of the way. The scalars live on the CPU.
    """
    whole, told = end - start, 0
    t, h = _scalars(len(y), start), _scalars(len(y), FIRST * whole)
    going = torch.arange(len(y))
    slope = velocity(t, y, going)
    while len(going):
        left = end - t[going]
        last = h[going].abs() >= left.abs()
        step = torch.where(last, left, h[going])
        state = y[going]
        stepped, ahead, error = _step(velocity, t[going], state, step, slope, going)
        ratio = excess(t[going], state, stepped, error).cpu().double()
        # A step out of the finite numbers is too large, but from there no smaller one leads back:
        # quickly to the end.
        lost = ~state.isfinite().flatten(1).all(dim=1).cpu()
        ratio = torch.where(ratio.isfinite(), ratio, math.inf).masked_fill(lost, 0).clamp_min(1e-10)
        taken = (ratio <= 1) | (step.abs() <= SMALLEST * abs(whole))

        keep = taken.reshape(-1, *[1] * (y.ndim - 1)).to(y.device)
        y = y.index_copy(0, going.to(y.device), torch.where(keep, stepped, state))
        slope = torch.where(keep, ahead, slope)
        t[going] = t[going] + torch.where(taken, step, 0.0)
        factor = (SAFETY * ratio**-0.2).clamp(SHRINK, GROW)
        smallest = torch.full_like(step, SMALLEST * whole)
        h[going] = torch.where((step * factor).abs() > smallest.abs(), step * factor, smallest)
        stay = ~(taken & last)
        going, slope = going[stay], slope[stay.to(y.device)]
        share = float(((t[going] - start) / whole).min()) if len(going) else 1.0
        for _ in range(told, int(parts * share)):
            yield y
        told = int(parts * share)


def _scalars(n: int, value: float) -> Tensor:
    return torch.full((n,), value, dtype=torch.float64)


def _step(
    velocity: Velocity, t: Tensor, y: Tensor, h: Tensor, slope: Tensor, images: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """The state after a step ``h``, its slope, and the difference of the two orders."""
    wide, slopes, stage = per_image(h, y, "h"), [slope], y
    for node, row in zip(NODES, STAGES, strict=True):
        stage = y + wide * _weighted(row, slopes)
        slopes.append(velocity(t + node * h, stage, images))
    return stage, slopes[-1], wide * _weighted(ERROR, slopes)


def _weighted(weights: Sequence[float], slopes: Sequence[Tensor]) -> Tensor:
    total = weights[0] * slopes[0]
    for weight, slope in zip(weights[1:], slopes[1:], strict=True):
        total = total + weight * slope
    return total
