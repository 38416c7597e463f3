"""Coverage and width of intervals, an image at a time."""

from __future__ import annotations

from torch import Tensor

from invscore.uncertainty import Interval


def coverage(interval: Interval, truth: Tensor) -> Tensor:
    """The fraction of the real numbers of ``truth``, (b, \\*shape), inside ``interval``: (b,).

    Raises ``ValueError`` where the shape is not that of the interval's ends.

    >>> import torch
    >>> from invscore.metrics import coverage
    >>> from invscore.uncertainty import Interval
    >>> interval = Interval(torch.zeros(1, 4), torch.full((1, 4), 0.5))
    >>> coverage(interval, torch.tensor([[0.1, 0.2, 0.3, 0.9]]))
    tensor([0.7500])
    """
    if truth.shape != interval.lower.shape:
        raise ValueError(
            f"`truth` must have the shape {tuple(interval.lower.shape)}, got {tuple(truth.shape)}"
        )
    return interval.contains(truth).float().flatten(1).mean(dim=1).cpu()


def width(interval: Interval) -> Tensor:
    """The mean width of an interval with ends (b, \\*shape), over both parts of complex ones: (b,).

    In image units.

    >>> import torch
    >>> from invscore.metrics import width
    >>> from invscore.uncertainty import Interval
    >>> width(Interval(torch.zeros(1, 4), torch.tensor([[0.0, 0.5, 1.0, 0.5]])))
    tensor([0.5000])
    """
    return interval.width.flatten(1).mean(dim=1).cpu()
