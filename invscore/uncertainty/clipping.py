"""How much of samples lies where a nonlinear operator passes nothing."""

from __future__ import annotations

import torch
from torch import Tensor

from invscore.likelihood import InverseProblem
from invscore.rng import sample_rng

MOST = 8
"""Largest number of samples that are looked at."""
LEVELS = 5
"""Number of flat images, from the darkest to the brightest number of the samples, of which one
shows a number of the image that the operator passes at all."""
SHARE = 0.4
"""Share of numbers beyond the clip from which on it is told. 100 normal pixels behind clips come to
1.3 floors at 0.30 and 0.36, to 1.9 to 4.2 at 0.45 to 0.67 (`matched_pixels`, 1000 samples)."""


def clipping_warnings(problem: InverseProblem, samples: Tensor) -> tuple[str, ...]:
    """A sentence where the Jacobian of A vanishes at many numbers of ``samples``,
    (n, b, \\*in_shape), and not at other values of these numbers.

    There, as where a sensor saturates, A is flat, and steps that linearise it stay at the edge of
    what they should explore. What A never passes, as behind a mask, does not count; complex images
    are not looked at.

        >>> import torch
        >>> from invscore import GaussianNoise, InverseProblem
        >>> from invscore.operators import HighDynamicRange
        >>> from invscore.uncertainty import clipping_warnings
        >>> operator = HighDynamicRange((1, 8, 8), factor=2.0)
        >>> problem = InverseProblem(operator, torch.ones(1, 1, 8, 8), GaussianNoise(0.1))
        >>> samples = torch.rand(4, 1, 1, 8, 8, generator=torch.Generator().manual_seed(0))
        >>> clipping_warnings(problem, samples / 2 + 0.25)
        ()
        >>> clipping_warnings(problem, samples)[0].split(":")[0]
        'the operator clips 50% of the numbers of the samples'
    """
    operator, y = problem.operator, problem.y
    if samples.is_complex():
        return ()
    # Numbers and no signs, which may add up to 0 behind equal weights.
    direction = sample_rng(0, 1, "clipping", y.device).normal_like(y[:1]).expand(y.shape)
    looked_at = samples[:MOST]
    blind = torch.stack([operator.vjp(x, direction) == 0 for x in looked_at])
    if not bool(blind.any()):
        return ()
    ends = (float(looked_at.min()), float(looked_at.max()))
    flat = [torch.full_like(samples[0], float(v)) for v in torch.linspace(*ends, LEVELS)]
    seen = torch.stack([*(operator.vjp(x, direction) != 0 for x in flat), ~blind.all(dim=0)])
    known = seen.any(dim=0).flatten(1)
    shares = (blind.double().mean(dim=0).flatten(1) * known).sum(dim=1) / known.sum(dim=1)
    share = float(torch.nan_to_num(shares).max())
    if share < SHARE:
        return ()
    return (
        f"the operator clips {share:.0%} of the numbers of the samples: how far these spread "
        "beyond the clip is told to a tenth or a fifth of that alone; mcmc_steps=100 comes nearer",
    )
