"""Conditional flow matching: the velocity of straight lines from data to noise."""

from __future__ import annotations

from torch import Tensor

from invscore.batches import per_image
from invscore.training.objectives.fields import TimeField
from invscore.training.objectives.matching import squared_distance


def flow_matching(velocity: TimeField, clean: Tensor, t: Tensor, noise: Tensor) -> Tensor:
    """Mean of ``|v(x_t, t) - (n - x0)|^2`` at ``x_t = (1 - t) x0 + t n``, over images and pixels.

    The flow ``dx/dt = v(x, t)`` carries data, t = 0, to noise, t = 1 (Lipman et al. 2023, Eq. 23,
    with time reversed; Liu et al. 2023, Eq. 1). ``clean`` and ``noise``, of unit variance, have
    shape (b, \\*shape), ``t`` has shape (b,).

    Where noise and data are independent the velocity tells the score, ``-(x + (1 - t) v) / t``. It
    does not where noise has been assigned by ``optimal_pairing``: then lines cross less, and the
    flow is straighter.

    After the example of ``invscore.training.objectives``:

    >>> from invscore.training.objectives import flow_matching
    >>> t = torch.full((500,), 0.5)
    >>> resting = lambda x, t: 0 * x
    >>> round(float(flow_matching(resting, x, t, noise)), 1)
    2.2
    """
    time = per_image(t, clean, "t")
    return squared_distance(velocity((1 - time) * clean + time * noise, t), noise - clean)
