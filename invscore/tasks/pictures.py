"""Measurements as pictures."""

from __future__ import annotations

from torch import Tensor

from invscore.figures import picture
from invscore.likelihood import InverseProblem


def measurement_picture(problem: InverseProblem, peak: float) -> Tensor | None:
    """The first measurement as an image (c, h, w) in [0, 1], ``peak`` being white; a vector: None.

    What is complex or a spectrum is shown by log magnitude, a sinogram stretched.
    """
    y, view = problem.y[0], problem.operator.view
    if y.ndim < 2:
        return None
    spectrum = y.is_complex() or view == "spectrum"
    return picture(y, peak=peak, spectrum=spectrum, stretch=view == "stretched")
