"""Samples from a start that no first guess chooses: probes for other explanations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from invscore import levels
from invscore.likelihood import InverseProblem
from invscore.methods.auto import BLIND
from invscore.methods.base import MethodInfo
from invscore.priors.base import Prior
from invscore.rng import AntitheticRNG

STEPS = 6
"""Evaluations of a probe."""
COARSE = 0.3
"""Last level of a probe, in standard deviations of a pixel: modes are apart there."""
STREAM = 3
"""Last index of a probe's random stream, which no sample has: theirs are 0 to 2."""


def starts_at_a_guess(info: MethodInfo, prior: Prior, options: Mapping[str, Any]) -> bool:
    """Whether samples of the method may have been given their mode by a guess.

    Where the prior knows no levels far above the one they start at, there is no other start.
    """
    if info.name != "matched_spectrum":
        return False
    first = options["sigma_max"] or levels.guessed(prior)
    return levels.of_pixel(prior, BLIND) > 2 * first


def draw_probes(
    info: MethodInfo,
    problem: InverseProblem,
    prior: Prior,
    factors: Sequence[float],
    number: int,
    seeds: Sequence[int],
) -> Tensor:
    """Samples of each measurement by few steps from a wide start, (number, b, \\*shape).

    ``factors``: by which measurements are divided for the prior. ``seeds``: those of their first
    samples. Probes come in antithetic pairs, which disagree on a choice between two modes more
    often than independent ones.
    """
    high = levels.of_pixel(prior, BLIND)
    low = min(levels.of_pixel(prior, COARSE), high)
    device = problem.y.device
    found = []
    for image, (factor, seed) in enumerate(zip(factors, seeds, strict=True)):
        task = problem.select(torch.full((number,), image, device=device)).scaled(1 / factor)
        keys = [(seed + k, image, STREAM) for k in range(number)]
        rng = AntitheticRNG(keys, range(number), device)
        with torch.no_grad():
            *_, last = info.run(task, prior, rng, steps=STEPS, sigma_max=high, sigma_min=low)
        found.append(factor * last.x)
    return torch.stack(found, dim=1)
