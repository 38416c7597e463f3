"""Where samples begin: at the first guess, or at draws of it where a level hides little of it.

The guess lacks what it leaves open, P, so that a state of it has the variance ``sigma^2`` in the
place of ``P + sigma^2``, and D takes what the guess has for the truth where P is larger: in holes,
beyond borders, and at the coarse frequencies of a measurement that is small or has much noise.
"""

from __future__ import annotations

from torch import Tensor

from invscore.likelihood import InverseProblem
from invscore.methods.common.initial_guess import initial_guess
from invscore.methods.gaussian_field.first_guess import posterior_draw
from invscore.methods.gaussian_field.power_law import EXPONENT
from invscore.methods.matched_spectrum.measurement import Measurement, SpectralMeasurement
from invscore.operators import Inpainting, LinearOperator, Operator
from invscore.priors.base import Prior
from invscore.rng import SampleRNG

FEWEST = 3
"""Least evaluations that begin at a draw of the first guess: of one or two the mean of a pair loses
0.1 dB by it."""
HOLE = 8
"""Side of the least square without measured pixels, in pixels, in which draws of the first guess
differ."""
HIDES = 2.0
"""What a first level hides of what the guess leaves open of a frequency, in its variances: half as
much costs 0.1 dB behind blurs and much noise, where samples spread enough, twice as much leaves
those of small images 2 to 4 % narrower."""


def begin(problem: InverseProblem, prior: Prior, rng: SampleRNG) -> Tensor:
    """First images, (b, \\*in_shape): draws of the guess's posterior where places are unseen."""
    if leaves_places(problem.operator):
        return posterior_draw(problem, prior, rng)
    return initial_guess(problem, prior, 0.0, rng)


def widened(
    guess: Tensor,
    problem: InverseProblem,
    prior: Prior,
    measurement: Measurement,
    sigma: float,
    rng: SampleRNG,
) -> Tensor:
    """A ``guess`` moved by what its posterior has beyond what a level ``sigma`` hides.

    Of real images (c, h, w) of which y tells each frequency by itself: that of each.
    """
    if not (isinstance(measurement, SpectralMeasurement) and _is_picture(problem.operator)):
        return guess
    bands = measurement.bands
    power = bands.power_law(EXPONENT, prior.variance)
    left = power / (1 + power * measurement.precision())
    beyond = (left - HIDES * sigma**2).clamp_min_(0)
    if not beyond.any():
        return guess
    share = (beyond / left.clamp_min(beyond)).nan_to_num_()
    del power, left, beyond
    moved = bands.spectrum(posterior_draw(problem, prior, rng) - guess)
    return guess + bands.image(moved.mul_(share.sqrt_()))


def leaves_places(operator: Operator) -> bool:
    """Whether y leaves places of real images (c, h, w) unseen: beyond a window, or in a hole.

    They have coarse content that the first level does not hide, in which draws of the first guess
    differ. Between pixels that are missing here and there the guess knows it.
    """
    if not _is_picture(operator):
        return False
    if isinstance(operator, Inpainting):
        return operator.has_hole(HOLE)
    return isinstance(operator, LinearOperator) and operator.window is not None


def _is_picture(operator: Operator) -> bool:
    """Whether images are real, (c, h, w)."""
    return len(operator.in_shape) == 3 and not operator.in_complex
