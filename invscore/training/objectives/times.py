"""Importance sampling of times: more of them where the loss is large."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from invscore.training.objectives.fields import Schedule


class ImportanceTimes:
    """Times between ``first`` and ``last`` with a density proportional to ``rate(t) > 0``.

    The best ``rate`` is the size of what is integrated: ``g(t)^2 / sigma(t)^2`` for the likelihood
    weight g^2 (Song, Durkan et al. 2021), since the loss of a score is about ``d /
    sigma^2``. It is taken as constant in each of ``cells`` intervals of equal ratio, and
    ``density`` says exactly what ``sample`` draws from: a ratio of the two has no bias.

    Raises ``ValueError`` unless 0 < first < last and the rate is positive and finite.

    After the example of ``invscore.training.objectives``:

    >>> import numpy as np
    >>> from invscore.training.objectives import ImportanceTimes
    >>> times = ImportanceTimes(lambda t: 1 / t**2, 0.01, 1.0)
    >>> t = times.sample(1000, np.random.default_rng(0))
    >>> bool(t.median() < 0.05)
    True
    """

    def __init__(self, rate: Schedule, first: float, last: float, cells: int = 4096) -> None:
        if not 0 < first < last < float("inf"):
            raise ValueError(
                f"`first` and `last` must satisfy 0 < first < last, got {first} and {last}"
            )
        self.edges = np.geomspace(first, last, cells + 1)
        middles = torch.from_numpy((self.edges[1:] + self.edges[:-1]) / 2)
        rates = rate(middles).numpy()
        if not (np.isfinite(rates).all() and (rates > 0).all()):
            raise ValueError(
                f"`rate` must be positive, got values from {rates.min()} to {rates.max()}"
            )
        self.total = np.append(0.0, np.cumsum(rates * np.diff(self.edges)))
        self.total /= self.total[-1]

    def sample(self, n: int, random: np.random.Generator) -> Tensor:
        """``n`` independent times, (n,), in float64."""
        return torch.from_numpy(np.interp(random.uniform(size=n), self.total, self.edges))

    def density(self, t: Tensor) -> Tensor:
        """The density of ``sample`` at ``t``, for any shape, in the type and device of ``t``."""
        inner_edges = torch.from_numpy(self.edges[1:-1]).to(t)
        heights = torch.from_numpy(np.diff(self.total) / np.diff(self.edges)).to(t)
        return heights[torch.bucketize(t, inner_edges)]
