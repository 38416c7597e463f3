"""Noise schedules by the names that other codes give them: abar of each time, float64."""

from __future__ import annotations

import math

import torch
from torch import Tensor

F64 = torch.float64

MOST_STEPS = 100_000
"""Largest number of steps of a schedule that is accepted."""


def whole_steps(given: object) -> int:
    """``given``, the number of times that a file names. Raises ``ValueError`` for none of these."""
    if type(given) is not int or not 2 <= given <= MOST_STEPS:
        raise ValueError(
            f"the number of steps must be a whole one from 2 to {MOST_STEPS}, got {given!r}"
        )
    return given


def linear(steps: int = 1000, start: float = 1e-4, end: float = 0.02) -> Tensor:
    """``beta`` linear from ``start`` to ``end`` (Ho et al. 2020, Sec. 4)."""
    return cumulated(torch.linspace(start, end, steps, dtype=F64))


def scaled_linear(steps: int, start: float, end: float) -> Tensor:
    """The root of ``beta`` linear (Rombach et al. 2022)."""
    return cumulated(torch.linspace(start**0.5, end**0.5, steps, dtype=F64) ** 2)


def cosine(steps: int = 1000, offset: float = 0.008, largest: float = 0.999) -> Tensor:
    """``abar = cos^2((t + offset) / (1 + offset) pi / 2)``, beta cut at ``largest`` (Nichol &
    Dhariwal 2021, Eq. 17)."""
    time = torch.linspace(0, 1, steps + 1, dtype=F64)
    bar = torch.cos((time + offset) / (1 + offset) * math.pi / 2) ** 2
    return cumulated((1 - bar[1:] / bar[:-1]).clamp(max=largest))


def sigmoid(steps: int, start: float, end: float) -> Tensor:
    """``beta`` a logistic curve from ``start`` to ``end``, over [-6, 6] (Xu et al. 2022)."""
    return cumulated(torch.linspace(-6, 6, steps, dtype=F64).sigmoid() * (end - start) + start)


def logistic(steps: int = 1000, start: float = -3, end: float = 3) -> Tensor:
    """``abar`` a logistic curve from 1 to 0, beta cut at 0.999 (Jabri et al. 2022, App. B)."""
    curve = torch.sigmoid(torch.linspace(start, end, steps + 1, dtype=F64))
    bar = (curve[-1] - curve) / (curve[-1] - curve[0])
    return cumulated((1 - bar[1:] / bar[:-1]).clamp(max=0.999))


def cumulated(betas: Tensor) -> Tensor:
    """``abar``, the product of ``1 - beta``."""
    return torch.cumprod(1 - betas, dim=0)


def zero_terminal(alphas_cumprod: Tensor) -> Tensor:
    """The root of ``abar`` shifted and stretched to end at 0 (Lin et al. 2024, Algorithm 1)."""
    root = alphas_cumprod.sqrt()
    return ((root - root[-1]) * root[0] / (root[0] - root[-1])) ** 2
