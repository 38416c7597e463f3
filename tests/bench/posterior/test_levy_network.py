"""The learned denoiser of Levy processes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from invscore.bench.posterior import levy_network
from invscore.bench.posterior.levy_laws import LAWS
from invscore.bench.posterior.levy_network import learned_prior
from invscore.bench.posterior.levy_prior import LevyPrior
from invscore.priors.base import Prior

DIM = 16


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"channels": 16, "blocks": 2, "batch": 64, "updates": 150}.items():
        monkeypatch.setitem(levy_network.RECIPE, name, value)


@pytest.mark.usefixtures("small")
def test_it_approaches_the_exact_one_and_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exact = LevyPrior(LAWS["gauss"], DIM, chains=1, burn_in=0, steps=1)
    random_state = torch.get_rng_state()
    prior = learned_prior(exact, "gauss", tmp_path)
    assert torch.equal(torch.get_rng_state(), random_state)
    x = exact.sample(400, 9).float().reshape(-1, 1, 1, DIM)
    sigma = 0.5 * exact.variance**0.5
    noisy = x + sigma * torch.randn(x.shape, generator=torch.Generator().manual_seed(0))

    def error(denoiser: Prior) -> float:
        found: Tensor = denoiser.denoise(noisy, sigma)
        return float((found - x).square().mean())

    monkeypatch.setitem(levy_network.RECIPE, "updates", 0)
    untrained = learned_prior(exact, "gauss", tmp_path)
    assert error(prior) < 1.6 * error(exact)
    assert error(untrained) > 1.3 * error(prior)
    assert len(list(tmp_path.iterdir())) == 2

    def never(*_: object) -> None:
        raise AssertionError("trained again")

    monkeypatch.setitem(levy_network.RECIPE, "updates", 150)
    monkeypatch.setattr(levy_network, "train", never)
    again = learned_prior(exact, "gauss", tmp_path)
    torch.testing.assert_close(again.denoise(noisy, sigma), prior.denoise(noisy, sigma))
    assert prior.variance == pytest.approx(exact.variance)
    assert prior.peak is None
