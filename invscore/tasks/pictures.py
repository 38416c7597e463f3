"""Black and white of the pictures of a task, and measurements as pictures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from torch import Tensor

from invscore.figures import picture
from invscore.likelihood import InverseProblem
from invscore.operators import Interferometer, NonCartesianMRI

EXTREME = 1e-3
"""Share of the pixels that may be darker than black, and as many lighter than white."""

SLACK = 0.1
"""Distance by which noise may lead out of [0, 1]."""

DARK = 0.25
"""Largest value below which an image in [0, 1] is shown brighter."""


@dataclass(frozen=True)
class Window:
    """The values that are shown black and white."""

    low: float = 0.0
    high: float = 1.0

    def __call__(self, image: Tensor) -> Tensor:
        """``image`` with black at 0 and white at 1, unclipped; complex ones by magnitude."""
        real = image.abs() if image.is_complex() else image
        if (self.low, self.high) == (0, 1):
            return real
        return (real - self.low) / (self.high - self.low)


def window_of(image: Tensor, unit: float = 1.0) -> Window:
    """[0, ``unit``] where ``image`` is in it, otherwise what holds all but its most extreme pixels.

    ``unit``: what white is in pictures of this kind, such as the factor between the units of the
    measurement and those of a prior. Black is 0 where nothing is negative and not all is bright.
    """
    real = image.detach().abs() if image.is_complex() else image.detach()
    values = real.flatten().float().cpu()
    values = values[:: max(1, len(values) // 10**6)]  # as many tell as well as all
    # NumPy finds them without sorting.
    low, high = (float(v) for v in np.quantile(values.numpy(), (EXTREME, 1 - EXTREME)))
    most = float(values.max())
    if high <= 0.5 * most:  # point sources: bright pixels that are few are the image
        high = most
    if -SLACK * unit <= low and DARK * unit <= high <= (1 + SLACK) * unit:
        return Window(high=unit)
    if -SLACK * high <= low <= high / 2:
        low = 0.0
    return Window(low, high) if high > low else Window(low, low + (abs(low) or 1.0))


def measurement_picture(problem: InverseProblem, window: Window) -> Tensor | None:
    """The first measurement as an image (c, h, w) in [0, 1]; a vector: None.

    In the ``window`` of the image if it fits. What is complex or a spectrum is shown by log
    magnitude, a sinogram stretched, samples along a trajectory as the image on a grid.
    """
    y, view = problem.y[0], problem.operator.view
    if isinstance(problem.operator, NonCartesianMRI | Interferometer):
        return picture(window(problem.operator.gridded(problem.y[:1])[0]))
    if y.ndim < 2:
        return None
    if y.is_complex() or view == "spectrum":
        return picture(y, spectrum=True)
    if view == "stretched":
        return picture(y, stretch=True)
    own = window_of(y, window.high)
    fits = own.high - own.low <= 2 * (window.high - window.low) <= 16 * (own.high - own.low)
    return picture((window if fits else own)(y))
