"""The continuous ranked probability score: samples and truth compared pixel by pixel."""

from __future__ import annotations

import torch
from torch import Tensor

from invscore.batches import real_numbers
from invscore.hardware.doubles import doubled


def crps(samples: Tensor, truth: Tensor, *, paired: bool = False) -> Tensor:
    """The continuous ranked probability score, averaged over pixels: (b,), lower is better.

    ``CRPS(F, t) = E|X - t| - E|X - X'| / 2`` for X and X' drawn from F (Gneiting & Raftery 2007,
    Eq. 21) has the units of the image, is the absolute error where F is a point, and is least on
    average for the law that the truth follows. Estimated from ``samples`` by the fair score of
    Ferro 2014 (section 2b), which is unbiased for any number of independent ones, so that few
    samples do not look worse than many from the same law:

        mean |x_i - t| - sum_{i, j} |x_i - x_j| / (2 s (s - 1))

    Of antithetic pairs (``paired``: x_0 and x_1, x_2 and x_3, ...) the sum leaves out the two of a
    pair, which are not independent; of a single pair, ``|x_0 - x_1| / sqrt 2`` is ``E|X - X'|``
    where the law is Gaussian and the pair mirrors itself.

    ``samples`` are (s, b, \\*shape), ``truth`` (b, \\*shape); of complex images, the mean of both
    parts'. Raises ``ValueError`` for other shapes and for fewer than 2 samples.

    >>> import torch
    >>> from invscore.metrics import crps
    >>> samples = torch.tensor([0.0, 1.0]).reshape(2, 1, 1)
    >>> crps(samples, truth=torch.tensor([[3.0]]))
    tensor([2.])
    """
    s = len(samples)
    if s < 2:
        raise ValueError(f"`samples` must hold at least 2 for the fair score, got {s}")
    if samples.shape[1:] != truth.shape:
        raise ValueError(
            f"`truth` must have the shape {tuple(samples.shape[1:])}, got {tuple(truth.shape)}"
        )
    x, t = _parts(samples), _parts(truth)
    # Of sorted samples, x_(k) is the larger of k pairs and the smaller of s - 1 - k, k from 0.
    rank = 2 * torch.arange(s, dtype=x.dtype, device=x.device) - (s - 1)
    apart, count = torch.tensordot(rank, x.sort(dim=0).values, 1), s * (s - 1) / 2
    if paired:
        within = (x[0 : s - s % 2 : 2] - x[1::2]).abs().sum(dim=0)
        apart, count = (apart - within, count - s // 2) if s > 2 else (within / 2**0.5, 1)
    spread = apart / (2 * count)
    return ((x - t).abs().mean(dim=0) - spread).flatten(1).mean(dim=1).float().cpu()


def _parts(x: Tensor) -> Tensor:
    """The real numbers of ``x`` in float64."""
    return doubled(real_numbers(x))
