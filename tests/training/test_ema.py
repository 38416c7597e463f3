"""Running averages against their closed form."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from invscore.training.ema import Average


def set_to(network: nn.Linear, value: float) -> None:
    with torch.no_grad():
        network.weight.fill_(value)


@pytest.mark.parametrize("decay", [0.0, 0.15, 0.9])
def test_the_average_by_hand(decay: float) -> None:
    network = nn.Linear(2, 1, bias=False).double()
    set_to(network, 7.0)
    average, expected = Average(network, decay), 7.0
    for step, value in enumerate([1.0, -2.0, 4.0, 3.0]):
        set_to(network, value)
        average.update(network, step)
        kept = min(decay, [1 / 10, 2 / 11, 3 / 12, 4 / 13][step])
        expected = kept * expected + (1 - kept) * value
        assert average.weights["weight"].tolist() == [pytest.approx([expected] * 2, rel=1e-12)]
    average.give_to(network)
    assert network.weight[0, 0].item() == pytest.approx(expected, rel=1e-12)


def test_it_does_not_follow_the_weights_by_itself() -> None:
    network = nn.Linear(1, 1, bias=False)
    set_to(network, 1.0)
    average = Average(network, 0.9)
    set_to(network, 2.0)
    assert average.weights["weight"].item() == 1.0
