"""With exact ratios the reverse process returns the law that was noised."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy.stats import chi2
from torch import Tensor

from invscore.discrete import (
    euler,
    exact_log_ratios,
    flip_probability,
    noised_law,
    reverse,
    tweedie,
)
from invscore.discrete.sampler import FlipRule
from invscore.rng import SampleRNG

N = 20_000
LONGEST = 3.0


def tosses(d: int) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randint(2, (N, d), generator=generator).double()


def misfit(law: Tensor, x: Tensor) -> float:
    """The chance of a chi-square as large as that of ``x``, were it drawn from ``law``."""
    weights = 2 ** torch.arange(law.ndim - 1, -1, -1)
    counts = torch.bincount(x.long() @ weights, minlength=law.numel())
    expected = N * law.flatten()
    statistic = ((counts - expected) ** 2 / expected).sum()
    return float(chi2.sf(statistic, law.numel() - 1))


@pytest.mark.parametrize(("rule", "steps"), [(euler, 300), (tweedie, 150)])
def test_the_law_comes_back(
    law: Tensor, rule: FlipRule, steps: int, one_stream: Callable[[int], SampleRNG]
) -> None:
    times = [*np.geomspace(LONGEST, 1e-3, steps).tolist(), 0.0]
    states = reverse(
        lambda x, time: exact_log_ratios(noised_law(law, time), x),
        tosses(law.ndim),
        times,
        one_stream(0),
        rule,
    )
    *_, x = states
    assert misfit(law, x) > 1e-3
    assert misfit(law.flip(0), x) < 1e-12  # the test knows another law when it sees one


def test_one_tweedie_step_is_exact_for_independent_bits(
    one_stream: Callable[[int], SampleRNG],
) -> None:
    ones = torch.tensor([0.1, 0.5, 0.95], dtype=torch.float64)
    one, two, three = (torch.stack([1 - p, p]) for p in ones)
    law = torch.einsum("i,j,k->ijk", one, two, three)
    (x,) = reverse(
        lambda x, time: exact_log_ratios(noised_law(law, time), x),
        tosses(3),
        [8.0, 0.0],
        one_stream(0),
    )
    assert misfit(law, x) > 1e-3


def test_tweedie_is_bayes_rule() -> None:
    """One bit with P(1) = 0.2, seen as 1 at time 0.7: the chance that it was 0 at time 0.3."""
    law, seen = torch.tensor([0.8, 0.2], dtype=torch.float64), torch.ones(1, 1, dtype=torch.float64)
    ratio = exact_log_ratios(noised_law(law, 0.7), seen).exp()
    q = float(flip_probability(torch.tensor(0.7 - 0.3, dtype=torch.float64)))
    zero, one = noised_law(law, 0.3).tolist()
    expected = zero * q / (zero * q + one * (1 - q))
    assert tweedie(ratio, 0.7, 0.3).item() == pytest.approx(expected, rel=1e-12)


def test_rules_agree_for_small_steps() -> None:
    ratio = torch.tensor([0.2, 1.0, 7.0], dtype=torch.float64)
    small = 1e-6
    torch.testing.assert_close(tweedie(ratio, 1.0, 1.0 - small), small * ratio, rtol=1e-5, atol=0)
    torch.testing.assert_close(euler(ratio, 1.0, 1.0 - small), small * ratio, rtol=1e-9, atol=0)


def test_chances_stay_chances() -> None:
    ratio = torch.tensor([0.0, 1e6])
    for rule in (euler, tweedie):
        chances = rule(ratio, 2.0, 0.5)
        assert (chances >= 0).all()
        assert (chances <= 1).all()
