"""The waves in which images are looked at behind an operator."""

from __future__ import annotations

from torch import Tensor

from invscore.methods.gaussian_field.frequency_bands import SMALL, FrequencyBands
from invscore.operators import Blur, Operator, SuperResolution


def bands_behind(operator: Operator, like: Tensor) -> FrequencyBands:
    """The bands of images as ``like``, (b, \\*shape), in which draws are cheapest.

    Of cosines, where they are its singular vectors, or sums of few of them are, and images are
    ``SMALL``; of Fourier's waves elsewhere.
    """
    mirrored = isinstance(operator, SuperResolution)
    mirrored |= isinstance(operator, Blur) and operator.passes_cosines
    return FrequencyBands.of(like, mirrored and _are_planes(like))


def bands_of_guess(operator: Operator, like: Tensor) -> FrequencyBands:
    """Those of a first guess behind it: of cosines behind decimation and all blurs with a border.

    Photographs do not wrap around, and neither do these: a field that does makes their left
    and right borders alike. Elsewhere they are Fourier's waves.
    """
    bordered = isinstance(operator, SuperResolution)
    bordered |= isinstance(operator, Blur) and operator.boundary != "circular"
    return FrequencyBands.of(like, bordered and _are_planes(like))


def _are_planes(like: Tensor) -> bool:
    """Whether cosines serve: those of real planes that are not so large that they would be slow
    and take more memory than waves."""
    return like.ndim == 4 and not like.is_complex() and like[0].numel() <= SMALL
