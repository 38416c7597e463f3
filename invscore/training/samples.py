"""Pictures of what a prior has learned: images drawn from it, side by side."""

from __future__ import annotations

import math
from pathlib import Path

import torch
from torch import Tensor

from invscore.figures import picture
from invscore.images import save_image
from invscore.priors.network import NetworkPrior
from invscore.sampling import sample

GAP = 2  # pixels between images


def save_samples(
    path: Path, prior: NetworkPrior, shape: tuple[int, int, int], *, count: int, steps: int
) -> None:
    """Write a PNG of ``count`` images drawn from ``prior``, always from the same noise.

    DPM-Solver++(2M) makes them with ``steps`` evaluations. Values are clipped to [0, 1], complex
    ones shown by magnitude. Raises ``NotFiniteError`` where they are not finite.
    """
    drawn = sample(
        prior,
        shape,
        n=count,
        sampler="dpm++2m",
        steps=steps,
        dtype=torch.complex64 if prior.complex else torch.float32,
        device=next(prior.parameters()).device,
    ).samples
    save_image(path, grid([picture(image) for image in drawn]))


def grid(images: list[Tensor]) -> Tensor:
    """Images (c, h, w) in rows of a square, white between them."""
    columns = math.ceil(math.sqrt(len(images)))
    rows = math.ceil(len(images) / columns)
    channels, height, width = images[0].shape
    sheet = torch.ones(channels, rows * (height + GAP) - GAP, columns * (width + GAP) - GAP)
    for k, image in enumerate(images):
        top, left = k // columns * (height + GAP), k % columns * (width + GAP)
        sheet[:, top : top + height, left : left + width] = image
    return sheet
