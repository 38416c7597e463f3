"""Where samplers begin."""

from __future__ import annotations

import torch
from torch import Tensor

from invscore.likelihood import InverseProblem
from invscore.rng import SampleRNG


def pure_noise(problem: InverseProblem, sigma: float, rng: SampleRNG) -> Tensor:
    """Images of the problem's shape, (b, \\*in_shape), that are noise of deviation ``sigma``."""
    shape = (len(problem.y), *problem.operator.in_shape)
    blank = torch.empty(shape, dtype=problem.image_dtype, device=problem.y.device)
    return sigma * rng.normal_like(blank)
