"""The offset of images far from 0: below it, as in Hounsfield units, or far above, as in kelvins.

A prior of images in [0, 1] has seen nothing below 0, and little of faint contrast on a bright
ground, whatever the factor between its units and those of a measurement. The darkest few pixels of
such pictures are taken for the prior's 0: an affine change of units, as ``y - A(b 1)`` measures
``x - b``.
"""

from __future__ import annotations

from math import inf

import torch
from torch import Tensor

from invscore.estimation.extreme_quantile import extreme_quantile
from invscore.estimation.finest_differences import finest_level
from invscore.estimation.noise_map import evened
from invscore.estimation.scale import BEYOND, WIDTHS, averaged
from invscore.likelihood import GaussianNoise, InverseProblem
from invscore.operators import LinearOperator, Operator
from invscore.priors.base import Prior

DARKEST = 0.01
"""Share of the pixels that are taken for the darkest, and for the brightest."""

ENOUGH = 2**14
"""Numbers of a picture that tell how dark its darkest are: to a tenth of their share."""

FEWEST = 256
"""Least number of measured numbers of a picture that tells an offset."""

BELOW = (0.05, 0.1)
"""Share of the range of a picture that lies below 0: up to the first its zero is left alone, from
the second on it is moved to the darkest pixels."""

ABOVE = (0.8, 0.9)
"""The same of the ratio of its darkest to its brightest pixels."""

SIGNED = 0.2
"""Mean of a prior, in its standard deviations, up to which its images lie on both sides of 0."""


@torch.no_grad()
def estimate_offset(problem: InverseProblem, prior: Prior) -> Tensor:
    """The offset that is to be subtracted from each image, in its units: (b,) float64.

    0 but for real pictures with Gaussian noise behind a linear operator that shows them as pictures
    (``Operator.view``), and a prior of images from 0 to its peak.

        >>> import torch
        >>> from invscore import GaussianNoise, GaussianPrior, InverseProblem
        >>> from invscore.estimation.offset import estimate_offset
        >>> from invscore.operators import Identity
        >>> prior = GaussianPrior(torch.full((1, 8, 8), 0.5), 0.04)
        >>> prior.peak = 1.0
        >>> hounsfield = torch.linspace(-1000, 800, 64).reshape(1, 1, 8, 8)
        >>> problem = InverseProblem(Identity((1, 8, 8)), hounsfield, GaussianNoise(10.0))
        >>> round(estimate_offset(problem, prior).item(), -2)
        -1000.0
    """
    unmoved = torch.zeros(len(problem.y), dtype=torch.float64)
    if prior.peak is None or not isinstance(problem.noise, GaussianNoise):
        return unmoved
    if float(torch.as_tensor(prior.mean).real.mean()) < SIGNED * prior.variance**0.5:
        return unmoved
    even = evened(problem)
    if not far_from_zero(even):
        return unmoved
    level = even.noise.variance(even.y).expand(even.y.shape).flatten(1).mean(dim=1).sqrt()
    return offset_of_pictures(even.operator, even.y, level)


def far_from_zero(problem: InverseProblem) -> bool:
    """Whether some number of real pictures of real images is below 0, or none is near it."""
    operator, y = problem.operator, problem.y
    pictures = operator.view == "image" and y.ndim in (4, 5) and not y.is_complex()
    if not pictures or operator.in_complex:
        return False
    low, high = problem.measured(y).flatten(1).aminmax(dim=1)
    # Half the ratio, for noise spreads the darkest and the brightest apart.
    return problem.count >= FEWEST and bool(((low < 0) | (low > ABOVE[0] * high / 2)).any())


def offset_of_pictures(operator: Operator, y: Tensor, level: Tensor) -> Tensor:
    """The offset of images behind pictures ``y`` with noise of ``level``, (b,): (b,) float64."""
    unmoved = torch.zeros(len(y), dtype=torch.float64)
    if not isinstance(operator, LinearOperator):
        return unmoved
    even = operator.matvec(y.new_ones(1, *operator.in_shape))
    gain = float(even.amax())
    seen = even > gain / 2
    if operator.measured is not None:
        seen = seen & operator.measured.to(seen.device)
    if gain <= 0 or not bool(seen.any()):
        return unmoved
    tiny = torch.finfo(y.dtype).tiny
    values = torch.where(seen, y / torch.where(seen, even, 1), 0)
    low, high, darkest = (y.new_full((len(y),), end) for end in (inf, -inf, inf))
    whole = bool(seen.all())
    for width in WIDTHS:
        if width > 1 and 2 * width > min(y.shape[-2:]):
            break
        mean = averaged(values, width).flatten(1)
        count = mean.new_ones(1)
        if not whole:
            count = averaged(seen.to(y.dtype), width).flatten()
            counted = count > 0
            count = count[counted]
            mean = mean[:, counted] / count
        some = slice(None, None, mean.shape[1] // ENOUGH | 1)  # of all columns, as it is odd
        noise = (level / gain)[:, None] / (width * count.sqrt())
        margin = BEYOND * (noise if whole else noise[:, some])
        dark = extreme_quantile(mean[:, some], DARKEST)
        least = dark + margin[:, 0] if whole else extreme_quantile(mean[:, some] + margin, DARKEST)
        low = low.minimum(least)
        high = high.maximum(extreme_quantile(mean[:, some] - margin, 1 - DARKEST))
        middle = mean.mean(dim=1)
        left = 1 - noise.square().mean(dim=1) / mean.var(dim=1, correction=0).clamp_min(tiny)
        darkest = darkest.minimum(middle + (dark - middle) * left.clamp_min(0).sqrt())
    below = -low.clamp_max(0) / (high.clamp_min(0) - low.clamp_max(0)).clamp_min(tiny)
    above = torch.where(high > low, darkest / high.clamp_min(tiny), 0)  # where contrast is seen
    moved = torch.maximum(_ramp(below, *BELOW), _ramp(above, *ABOVE))
    return (moved * darkest).cpu().double()


def _ramp(share: Tensor, first: float, second: float) -> Tensor:
    """A ramp from 0 at the ``first`` to 1 at the ``second``."""
    return ((share - first) / (second - first)).clamp(0, 1)


def above_zero(problem: InverseProblem) -> InverseProblem:
    """The problem of pictures that are not far from 0, whose noise nobody has declared.

    It counts as what the finest differences have, which is too much at most.
    """
    if not far_from_zero(problem):
        return problem
    pictures = problem.y.flatten(1, -3)
    level = torch.tensor([finest_level(picture[None, None]) for picture in pictures])
    offset = offset_of_pictures(problem.operator, problem.y, level.to(problem.y))
    return problem.shifted(offset) if bool((offset != 0).any()) else problem
