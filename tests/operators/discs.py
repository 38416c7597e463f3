"""A disc, whose line integrals are known."""

import torch
from torch import Tensor

SIZE = 96
DISC = (0.12, -0.2, 0.25)  # to the right, upwards, radius, in units of the image's side


def disc(size: int, right: float, up: float, radius: float) -> Tensor:
    """The share of each pixel that the disc covers, (1, 1, size, size)."""
    parts = 8
    t = (torch.arange(size * parts, dtype=torch.float64) + 0.5) / (size * parts) - 0.5
    inside = ((t - right) ** 2 + (-t[:, None] - up) ** 2 <= radius**2).double()
    return torch.nn.functional.avg_pool2d(inside[None, None], parts)
