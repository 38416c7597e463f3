"""Flipping bits, and the law that it makes, enumerated."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from invscore.discrete import exact_log_ratios, flip, flip_probability, noised_law
from invscore.rng import SampleRNG


def generator_of_flips(d: int) -> Tensor:
    """The rate matrix of d bits that flip at rate 1 each, strings counted in binary."""
    rates = torch.zeros(2**d, 2**d, dtype=torch.float64)
    for state in range(2**d):
        for bit in range(d):
            rates[state ^ (1 << bit), state] = 1.0
        rates[state, state] = -d
    return rates


def test_the_law_solves_the_master_equation(law: Tensor) -> None:
    flow = torch.linalg.matrix_exp(0.37 * generator_of_flips(law.ndim))
    expected = (flow @ law.flatten()).reshape(law.shape)
    torch.testing.assert_close(noised_law(law, 0.37), expected, rtol=1e-12, atol=1e-14)


def test_bits_flip_as_often_as_said(one_stream: Callable[[int], SampleRNG]) -> None:
    n = 40_000
    x = torch.tensor([[0.0, 1.0, 1.0]], dtype=torch.float64).expand(n, -1)
    time = torch.full((n,), 0.2, dtype=torch.float64)
    flipped = (flip(x, time, one_stream(0)) != x).double().mean(dim=0)
    q = float(flip_probability(torch.tensor(0.2)))
    assert abs(q - 0.16484) < 1e-5
    assert (flipped - q).abs().max() < 4 * (q * (1 - q) / n) ** 0.5


def test_an_image_has_flips_of_its_own() -> None:
    x = torch.zeros(2, 1, 6, 6)
    together = flip(x, torch.tensor([0.1, 1.0]), SampleRNG([(0,), (1,)]))
    alone = flip(x[1:], 1.0, SampleRNG([(1,)]))
    assert torch.equal(together[1:], alone)


def test_exact_ratios_are_quotients(law: Tensor, strings: Tensor) -> None:
    found = exact_log_ratios(law, strings).exp()
    for row, string in zip(found, strings.long().tolist(), strict=True):
        for bit, ratio in enumerate(row):
            other = string.copy()
            other[bit] = 1 - other[bit]
            torch.testing.assert_close(ratio, law[tuple(other)] / law[tuple(string)])
