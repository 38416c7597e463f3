"""Sampling: the flips of bits, run backwards in time with the ratios of their law."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

import torch
from torch import Tensor

from invscore.discrete.process import flip_probability, flip_with
from invscore.rng import SampleRNG

TimedLogRatios = Callable[[Tensor, float], Tensor]
"""Log-ratios (b, \\*shape) of bits (b, \\*shape) that have been noised for a time."""
FlipRule = Callable[[Tensor, float, float], Tensor]
"""The chances of flipping from one time to an earlier one, given the ratios at the later."""


def euler(ratio: Tensor, time: float, earlier: float) -> Tensor:
    """The reverse process flips bit i at the rate of its ``ratio`` (Lou et al. 2024, Eq. 3): the
    chance to first order in the step.

    After the example of ``invscore.discrete``:

    >>> from invscore.discrete import euler
    >>> euler(torch.ones(2), 0.2, 0.1)
    tensor([0.1000, 0.1000])
    """
    return ((time - earlier) * ratio).clamp_max(1.0)


def tweedie(ratio: Tensor, time: float, earlier: float) -> Tensor:
    """The chance that bit i alone was different at ``earlier``, given all bits at ``time``.

    The best step that treats bits one by one (Lou et al. 2024, Theorem 4.2); with the true ratios
    it is exact for independent bits, however long the step.

    After the example of ``invscore.discrete``:

    >>> from invscore.discrete import tweedie
    >>> tweedie(torch.ones(2), 0.2, 0.1)
    tensor([0.0906, 0.0906])
    """
    growth = torch.tensor(2 * (time - earlier), dtype=ratio.dtype, device=ratio.device)
    q = flip_probability(growth / 2)
    # exp(-Q dt) takes (1, ratio) back in time, unnormalised; q weighs what a flip must explain.
    return (q * (ratio * (1 + growth.exp()) - growth.expm1()) / 2).clamp(0.0, 1.0)


def reverse(
    log_ratios: TimedLogRatios,
    x: Tensor,
    times: Sequence[float],
    rng: SampleRNG,
    rule: FlipRule = tweedie,
) -> Iterator[Tensor]:
    """Bits ``x``, (b, \\*shape), taken back from ``times[0]`` through all decreasing ``times``.

    Yields the bits at ``times[1]``, ``times[2]``, ..., one evaluation of ``log_ratios`` each. At a
    long first time (3: a bit has forgotten all but 0.2 % of itself) ``x`` is tosses of a fair coin.
    Steps flip bits independently: as they shrink, the law becomes exact.

    After the example of ``invscore.discrete``:

    >>> from invscore.discrete import exact_log_ratios, noised_law, reverse
    >>> ratios = lambda x, time: exact_log_ratios(noised_law(law, float(time)), x)
    >>> *_, last = reverse(ratios, bits, [3.0, 1.0, 0.3, 0.1, 0.0], rng)
    >>> last.shape
    torch.Size([3, 2])
    """
    for time, earlier in pairwise(times):
        x = flip_with(x, rule(log_ratios(x, time).exp(), time, earlier), rng)
        yield x
