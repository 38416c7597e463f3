"""A network's odds and Bayes' rule."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from invscore.discrete import BitNetwork, exact_log_ratios, flip_probability, noised_law
from invscore.networks import build_network

TIME = 0.4


class OddsOfTheOthers(nn.Module):
    """ln P(clean bit i is 1 | the other noisy bits) / P(it is 0 | ...), enumerated."""

    def __init__(self, law: Tensor) -> None:
        super().__init__()
        self.law = law

    def forward(self, x: Tensor, noise: Tensor) -> Tensor:
        assert set(x.unique().tolist()) <= {-1.0, 1.0}
        time = float((4 * noise[0]).exp())
        bits, odds = ((x + 1) / 2).flatten(1), torch.empty_like(x.flatten(1))
        for i in range(self.law.ndim):
            joint = _noise_all_but(self.law, i, time).movedim(i, 0)
            others = torch.cat([bits[:, :i], bits[:, i + 1 :]], dim=1).long()
            zero, one = joint[:, *others.T]
            odds[:, i] = (one / zero).log()
        return odds.reshape(x.shape)


def _noise_all_but(law: Tensor, kept: int, time: float) -> Tensor:
    """Bit ``kept`` clean, the others after ``time``."""
    halves = [noised_law(part, time) for part in law.unbind(kept)]
    return torch.stack(halves, dim=kept)


def test_true_odds_give_the_exact_ratios_and_mean(law: Tensor, strings: Tensor) -> None:
    images = strings[:, None, None]
    model = BitNetwork(OddsOfTheOthers(law))
    exact = exact_log_ratios(noised_law(law, TIME), strings)
    ratios = model.log_ratios(images, TIME)[:, 0, 0]
    torch.testing.assert_close(ratios, exact, rtol=1e-10, atol=1e-12)

    q = flip_probability(torch.tensor(TIME, dtype=torch.float64))
    differ = (strings[:, None] != strings).double().sum(dim=2)  # noisy down, clean across
    posterior = law.flatten() * q**differ * (1 - q) ** (law.ndim - differ)
    expected = posterior @ strings / posterior.sum(dim=1, keepdim=True)
    torch.testing.assert_close(model.mean(images, TIME)[:, 0, 0], expected, rtol=1e-10, atol=0)


def test_an_untrained_network_tosses_coins() -> None:
    model = BitNetwork(build_network("unet", channels=1, widths=[4, 8], blocks=1))
    x = torch.ones(2, 1, 6, 6)
    assert torch.equal(model.log_ratios(x, torch.tensor([0.1, 1.0])), torch.zeros_like(x))
    kept = 1 - flip_probability(torch.tensor(0.1))
    torch.testing.assert_close(model.mean(x, 0.1), torch.full_like(x, float(kept)))


@pytest.mark.parametrize("time", [1e-4, 3.0])
def test_ratios_stay_in_the_range_of_the_noise(time: float) -> None:
    class Certain(nn.Module):
        def forward(self, x: Tensor, noise: Tensor) -> Tensor:  # noqa: ARG002
            return -100 * x

    x = torch.tensor([0.0, 1.0], dtype=torch.float64).reshape(1, 1, 1, 2)
    largest = -torch.logit(flip_probability(torch.tensor(time, dtype=torch.float64)))
    ratios = BitNetwork(Certain()).log_ratios(x, time)
    torch.testing.assert_close(ratios, largest.expand_as(x), rtol=1e-9, atol=0)
