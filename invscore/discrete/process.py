"""The noise of binary images: every bit flips at rate 1, independently of the others."""

from __future__ import annotations

import torch
from torch import Tensor

from invscore.batches import PerImage, per_image
from invscore.rng import SampleRNG


def flip_probability(time: Tensor) -> Tensor:
    """The chance that a bit differs from itself ``time`` earlier: ``(1 - exp(-2 time)) / 2``.

    After the example of ``invscore.discrete``:

    >>> from invscore.discrete import flip_probability
    >>> flip_probability(torch.tensor([0.0, 0.1, 10.0]))
    tensor([0.0000, 0.0906, 0.5000])
    """
    return -torch.expm1(-2 * time) / 2


def flip(x: Tensor, time: PerImage, rng: SampleRNG) -> Tensor:
    """Bits ``x``, (b, \\*shape), after ``time`` (a number, or one an image) of the process.

    After the example of ``invscore.discrete``:

    >>> from invscore.discrete import flip
    >>> flip(bits, 0.0, rng).equal(bits)
    True
    """
    return flip_with(x, flip_probability(per_image(time, x, "time")).expand_as(x), rng)


def flip_with(x: Tensor, probability: Tensor, rng: SampleRNG) -> Tensor:
    """Bits ``x``, each flipped with its ``probability``, both (b, \\*shape)."""
    # A standard normal number is below the quantile of p with probability p.
    chosen = rng.normal_like(x) < torch.special.ndtri(probability)
    return torch.where(chosen, 1 - x, x)


def noised_law(law: Tensor, time: float) -> Tensor:
    """The law of d bits after ``time``; ``law`` has shape (2, ..., 2), an axis a bit.

    After the example of ``invscore.discrete``:

    >>> from invscore.discrete import noised_law
    >>> noised_law(law, 10.0)
    tensor([[0.2500, 0.2500],
            [0.2500, 0.2500]])
    """
    q = flip_probability(torch.tensor(time, dtype=law.dtype))
    for axis in range(law.ndim):
        law = (1 - q) * law + q * law.flip(axis)
    return law


def exact_log_ratios(law: Tensor, x: Tensor) -> Tensor:
    """``ln p(x with bit i flipped) / p(x)`` for each bit i of ``x``, both (b, d).

    ``law`` holds the probabilities of all d-bit strings, of shape (2, ..., 2). The concrete score
    of Meng et al. (2022, Sec. 3) with these neighbours is the ratio less 1.

    After the example of ``invscore.discrete``:

    >>> from invscore.discrete import exact_log_ratios
    >>> exact_log_ratios(law, bits).exp()
    tensor([[0.2500, 0.2500],
            [4.0000, 4.0000],
            [0.2500, 0.2500]])
    """
    log_law = law.log()
    bits = x.long()
    here = log_law[tuple(bits.T)]
    there = []
    for i in range(x.shape[1]):
        neighbour = bits.clone()
        neighbour[:, i] = 1 - neighbour[:, i]
        there.append(log_law[tuple(neighbour.T)])
    return torch.stack(there, dim=1) - here[:, None]
