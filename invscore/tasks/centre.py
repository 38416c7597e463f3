"""Whether k-space has its lowest frequencies in the middle, where the operators have them."""

from __future__ import annotations

import warnings

from torch import Tensor

from invscore.operators import MRI, Interferometer, NonCartesianMRI, Operator
from invscore.operators.base import Composition

NEAR = 2
"""Distance in pixels from a place within which the largest value counts as being there."""

STANDS_OUT = 25.0
"""Least ratio of the largest power to that in the middle for its place to be no accident."""


def require_centred(operator: Operator, y: Tensor, name: str) -> None:
    """Raise ``ValueError`` where the lowest frequencies of k-space are along a border of it.

    ``y``: (b, c, h, w). The largest value of an image's spectrum is its mean. Transforms without
    ``fftshift``, of both axes or of one, have it at index 0.

    >>> import torch
    >>> from invscore.operators import MRI
    >>> from invscore.tasks.centre import require_centred
    >>> operator = MRI(torch.ones(16) > 0, (1, 16, 16))
    >>> require_centred(operator, operator(torch.ones(1, 1, 16, 16) + 0j), "y")
    """
    if not _on_a_grid(operator) or y.ndim != 4 or min(y.shape[-2:]) < 8 * NEAR:
        return
    height, width = y.shape[-2:]
    power = y.abs().square().sum(dim=(0, 1))
    row, column = divmod(int(power.argmax()), width)
    at_border = [
        axis
        for axis, place, size in (("rows", row, height), ("columns", column, width))
        if min(place, size - place) <= NEAR
    ]
    elsewhere = [
        place
        for place, size in ((row, height), (column, width))
        if min(place, size - place) > NEAR and abs(place - size // 2) > NEAR
    ]
    middle = power[height // 2 - NEAR :, width // 2 - NEAR :][: 2 * NEAR + 1, : 2 * NEAR + 1]
    if not at_border or elsewhere or not float(power.max()) > STANDS_OUT * float(middle.max()):
        return
    raise ValueError(
        f"{name} must have its lowest frequencies in the middle, at ({height // 2}, {width // 2}), "
        f"got the largest value at ({row}, {column}): numpy.fft.fftshift moves them, along the "
        f"{' and '.join(at_border)}"
    )


def warn_of_lost_parts(operator: Operator, y: Tensor, name: str) -> None:
    """Warn where k-space, complex by its type, has no imaginary parts: of what was real before.

    >>> import torch
    >>> from invscore.operators import MRI
    >>> from invscore.tasks.centre import warn_of_lost_parts
    >>> operator = MRI(torch.ones(4) > 0, (1, 4, 4))
    >>> warn_of_lost_parts(operator, torch.full((1, 1, 4, 4), 1 + 1j), "y")
    """
    scattered = isinstance(operator, NonCartesianMRI | Interferometer)
    if (scattered or _on_a_grid(operator)) and y.is_complex() and not bool(y.imag.any()):
        sky = isinstance(operator, Interferometer)
        kind = "visibilities have" if sky else "k-space of a scan has"
        warnings.warn(
            f"{name} has imaginary parts of zero throughout, which {kind} not: from "
            "its real parts or magnitudes alone images are not told, nor is the noise",
            stacklevel=3,
        )


def _on_a_grid(operator: Operator) -> bool:
    return isinstance(operator, MRI) or (
        isinstance(operator, Composition) and _on_a_grid(operator.outer)
    )
