"""Differential equations along given times: the state at each time after the first."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

from torch import Tensor

from invscore.batches import per_image
from invscore.rng import SampleRNG

Velocity = Callable[[Tensor, float], Tensor]


def euler_maruyama(
    x: Tensor,
    times: Sequence[float],
    drift: Velocity,
    diffusion: Callable[[float], Tensor],
    rng: SampleRNG,
) -> Iterator[Tensor]:
    """``dx = drift(x, t) dt + sqrt(diffusion(t)) dW``, in either direction of time.

    Of strong order 1 where the diffusion does not depend on x, as here (Kloeden & Platen 1992,
    Sec. 10.3).
    """
    for t, later in pairwise(times):
        fresh = per_image((diffusion(t) * abs(later - t)).sqrt(), x)
        x = x + (later - t) * drift(x, t) + fresh * rng.normal_like(x)
        yield x


def heun(x: Tensor, times: Sequence[float], velocity: Velocity) -> Iterator[Tensor]:
    """``dx/dt = velocity(x, t)`` by Heun's method, of order 2."""
    for t, later in pairwise(times):
        before = velocity(x, t)
        after = velocity(x + (later - t) * before, later)
        x = x + (later - t) * (before + after) / 2
        yield x
