"""Shared code of the baselines of deepinv: one image, one stream of random numbers at a time."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from invscore.likelihood import InverseProblem
from invscore.operators import LinearOperator
from invscore.priors.base import Prior

Restore = Callable[[LinearOperator, Tensor, float], Tensor]
"""From the operator, one measurement, (1, \\*out_shape), and its noise level to an image."""


def each_image(problem: InverseProblem, seed: int, name: str, restore: Restore) -> Tensor:
    """The images that ``restore`` finds, (b, \\*in_shape), each for itself.

    deepinv draws from PyTorch's global generator: it is seeded from ``seed`` and the image's place,
    and left as it was found. Some of its samplers take one noise level alone, hence one image.
    """
    operator, y, variance = problem.linear_gaussian(name)
    devices = [y.device] if y.is_cuda else []
    found = []
    with torch.random.fork_rng(devices):
        for image, level in enumerate(variance.sqrt().tolist()):
            state = np.random.SeedSequence((seed, image)).generate_state(1, np.uint64)[0]
            torch.manual_seed(int(state))
            found.append(restore(operator, y[image : image + 1], level).to(problem.image_dtype))
    return torch.cat(found)


def require_prior(prior: Prior | None, name: str) -> Prior:
    """The prior. Raises ``ValueError``, speaking of the baseline by ``name``, where it is None."""
    if prior is None:
        raise ValueError(f"{name} needs a prior, given None")
    return prior


def require_steps(steps: int) -> None:
    """Raise ``ValueError`` for fewer than two steps, which its schedules cannot make."""
    if steps < 2:
        raise ValueError(f"`steps` must be at least 2, got {steps}")
