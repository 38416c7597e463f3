"""The exact ratios minimise every objective: expectations are sums over all strings."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from invscore.discrete import (
    concrete_score_matching,
    denoising_concrete_score_matching,
    denoising_score_entropy,
    exact_log_ratios,
    flip_probability,
    noised_law,
    score_entropy,
)
from invscore.discrete.objectives import LogRatios

TIME = 0.3
COPIES = 2000
Objective = Callable[[LogRatios], Tensor]


def table(values: Tensor) -> LogRatios:
    """A function of strings that looks its values up, (2^d, d)."""
    weights = 2.0 ** torch.arange(values.shape[1] - 1, -1, -1, dtype=torch.float64)
    return lambda x: values[(x @ weights).long()]


def implicit(name: str, law: Tensor, strings: Tensor) -> Objective:
    """The expectation of an implicit objective: each string as often as its probability says."""
    objective = {"csm": concrete_score_matching, "se": score_entropy}[name]
    counts = (COPIES * law.flatten()).round().long()
    data, bits = strings.repeat_interleave(counts, dim=0), torch.arange(law.ndim)
    return lambda ratios: objective(ratios, data, bits)


def denoising(name: str, law: Tensor, strings: Tensor) -> Objective:
    """The expectation of a denoising objective over clean and noisy strings."""
    objective = {"csm": denoising_concrete_score_matching, "se": denoising_score_entropy}[name]
    clean = strings.repeat_interleave(len(strings), dim=0)
    noisy = strings.repeat(len(strings), 1)
    weights = law.flatten()[:, None] * transition(strings, TIME)
    return lambda ratios: (weights.flatten() * objective(ratios, clean, noisy, TIME)).sum()


def transition(strings: Tensor, time: float) -> Tensor:
    """``p(noisy | clean)``, clean strings down, noisy ones across."""
    q = flip_probability(torch.tensor(time, dtype=torch.float64))
    differ = (strings[:, None] != strings).double().sum(dim=2)
    return q**differ * (1 - q) ** (strings.shape[1] - differ)


@pytest.mark.parametrize("kind", [implicit, denoising])
@pytest.mark.parametrize("name", ["csm", "se"])
def test_the_gradient_vanishes_at_the_exact_ratios_alone(
    kind: Callable[[str, Tensor, Tensor], Objective], name: str, law: Tensor, strings: Tensor
) -> None:
    if kind is implicit:
        counted = (COPIES * law).round()
        expectation, learned = kind(name, law, strings), counted / counted.sum()
    else:
        expectation, learned = kind(name, law, strings), noised_law(law, TIME)
    exact = exact_log_ratios(learned, strings).requires_grad_()
    (gradient,) = torch.autograd.grad(expectation(table(exact)), exact)
    assert gradient.abs().max() < 1e-12
    for shift in (-0.1, 0.1):
        assert expectation(table(exact + shift)) > expectation(table(exact)) + 1e-4


def test_score_entropy_is_minimised_by_descent(law: Tensor, strings: Tensor) -> None:
    expectation = denoising("se", law, strings)
    logs = torch.zeros_like(strings, requires_grad=True)
    optimiser = torch.optim.LBFGS([logs], max_iter=200, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimiser.zero_grad()
        loss = expectation(table(logs))
        loss.backward()
        return loss

    optimiser.step(closure)
    exact = exact_log_ratios(noised_law(law, TIME), strings)
    torch.testing.assert_close(logs.detach(), exact, rtol=0, atol=1e-2)


@pytest.mark.parametrize("objective", [concrete_score_matching, score_entropy])
def test_a_choice_of_bits_is_unbiased(
    objective: Callable[[LogRatios, Tensor, Tensor], Tensor], law: Tensor, strings: Tensor
) -> None:
    generator = torch.Generator().manual_seed(0)
    ratios = table(torch.randn(strings.shape, generator=generator, dtype=torch.float64))
    singles = [objective(ratios, strings, torch.tensor([bit])) for bit in range(law.ndim)]
    torch.testing.assert_close(
        torch.stack(singles).mean(), objective(ratios, strings, torch.arange(law.ndim))
    )


def test_score_entropy_integrates_to_the_entropy(law: Tensor, strings: Tensor) -> None:
    """What the bits tell of themselves is lost at the rate of the loss: each constant counts."""
    longest = 2.0
    log_times = torch.linspace(-18.0, torch.tensor(longest).log().item(), 400, dtype=torch.float64)
    clean, noisy = strings.repeat_interleave(len(strings), dim=0), strings.repeat(len(strings), 1)
    rates = []
    for time in log_times.exp().tolist():
        ratios = table(exact_log_ratios(noised_law(law, time), strings))
        weights = (law.flatten()[:, None] * transition(strings, time)).flatten()
        rates.append(time * (weights * denoising_score_entropy(ratios, clean, noisy, time)).sum())
    lost = torch.trapezoid(torch.stack(rates), log_times)
    left, at_end = transition(strings, longest), noised_law(law, longest)
    remaining = (law.flatten() @ torch.xlogy(left, left)).sum() - torch.xlogy(at_end, at_end).sum()
    entropy = -torch.xlogy(law, law).sum()
    torch.testing.assert_close(lost + remaining, entropy, rtol=1e-4, atol=0)
