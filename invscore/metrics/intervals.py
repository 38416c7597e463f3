"""What intervals hold and how wide they are, an image at a time."""

from __future__ import annotations

from torch import Tensor

from invscore.uncertainty import Interval


def coverage(interval: Interval, truth: Tensor) -> Tensor:
    """The fraction of the real numbers of ``truth``, (b, \\*shape), inside ``interval``: (b,).

    Raises ``ValueError`` where the shape is not that of the interval's ends.
    """
    if truth.shape != interval.lower.shape:
        raise ValueError(
            f"`truth` must have the shape {tuple(interval.lower.shape)}, got {tuple(truth.shape)}"
        )
    return interval.contains(truth).float().flatten(1).mean(dim=1).cpu()


def width(interval: Interval) -> Tensor:
    """The mean width of an interval with ends (b, \\*shape), over both parts of complex ones: (b,).

    In image units.
    """
    return interval.width.flatten(1).mean(dim=1).cpu()
