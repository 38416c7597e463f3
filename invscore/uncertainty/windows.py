"""Means over the neighbours of pixels, and how much of these is independent."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor
from torch.nn.functional import conv2d

REACH = 3
"""Standard deviations of a window from its middle to its ends."""


class Windows:
    """Gaussian windows about the pixels of planes (p, h, w), without the pixel in the middle.

    ``deviation``: in pixels. They end where planes end. ``squares``: the sum of their squared
    weights.
    """

    def __init__(self, like: Tensor, deviation: int) -> None:
        self._sides = like.shape[-2:]
        places = torch.arange(-REACH * deviation, REACH * deviation + 1).to(like)
        weights = torch.exp(-((places / deviation) ** 2) / 2)
        weights /= weights.sum()
        one = torch.ones(1).to(like)
        self._down, self._along = (weights if side > 1 else one for side in self._sides)
        self._own = float(self._down.max() * self._along.max())
        squares = float(self._down.square().sum() * self._along.square().sum())
        self.squares = (squares - self._own**2) / (1 - self._own) ** 2

    def sum(self, x: Tensor) -> Tensor:
        """Weighted sums of planes ``x`` over the windows: 1 of ones, less where planes end."""
        down, along = self._down.reshape(1, 1, -1, 1), self._along.reshape(1, 1, 1, -1)
        whole = conv2d(x[:, None], down, padding=(down.shape[2] // 2, 0))
        whole = conv2d(whole, along, padding=(0, along.shape[3] // 2))[:, 0]
        return (whole - self._own * x) / (1 - self._own)

    def alike(self, squared: Tensor) -> tuple[float, float]:
        """How far the squares of a Gaussian field err together, of ``squared_correlations``.

        The variance of their mean over a window, and their covariance with it, both over the
        variance of one of them: ``sum_jk g_j g_k r_jk^2`` and ``sum_j g_j r_ij^2``, with weights g
        and correlations r (Isserlis 1918).
        """
        h, w = self._sides
        window = torch.outer(_wrapped(self._down, h), _wrapped(self._along, w))
        window[0, 0] -= self._own
        answer = torch.fft.rfft2(window / (1 - self._own))
        spectrum = torch.fft.rfft2(squared)
        of_mean = torch.fft.irfft2(spectrum * answer.abs().square(), s=self._sides)[0, 0]
        with_own = torch.fft.irfft2(spectrum * answer, s=self._sides)[0, 0]
        return max(float(of_mean), self.squares), max(float(with_own), 0.0)


def squared_correlations(deviations: Iterable[Tensor]) -> Tensor:
    """``r^2`` of the pixels of ``deviations``, each (p, h, w), from a first to any other: (h, w).

    Over the whole of the planes, as if these went around.
    """
    power: Tensor | float = 0.0
    sides = 1, 1
    for each in deviations:
        sides = each.shape[-2], each.shape[-1]
        power = power + torch.fft.rfft2(each).abs().square_().sum(0)
    together = torch.fft.irfft2(power, s=sides)
    return (together / together[0, 0]).square_()


def _wrapped(weights: Tensor, length: int) -> Tensor:
    """Weights about a middle, which goes to the first of ``length`` places."""
    reach = len(weights) // 2
    places = torch.arange(-reach, reach + 1, device=weights.device) % length
    return weights.new_zeros(length).index_add_(0, places, weights)
