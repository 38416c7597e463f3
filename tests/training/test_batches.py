"""What a step of training is computed from."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from invscore.training.batches import Batch, Batches
from invscore.training.config import TrainConfig
from invscore.training.data import PhotoCrops


def batch(config: TrainConfig, overstated: float) -> Batch:
    data, noise = config.data, config.noise.model_copy(update={"overstated": overstated})
    source = PhotoCrops(
        data.folder / "train", crop=data.crop, longest_side=data.longest_side, channels=1
    )
    (drawn,) = Batches(config.model_copy(update={"noise": noise}), source)(step=3)
    return drawn


def test_an_overstated_level_has_a_uniform_share_of_its_noise(make_config: Any) -> None:
    config = make_config(batch=400)
    plain, half, all_ = (batch(config, share) for share in (0.0, 0.5, 1.0))
    assert torch.equal(half.clean, plain.clean)
    assert torch.equal(half.sigma, plain.sigma)
    # Of noise that is drawn as before: a fraction of it.
    fractions = [
        (b.noise.flatten(1) * plain.noise.flatten(1)).sum(1)
        / plain.noise.flatten(1).square().sum(1)
        for b in (half, all_)
    ]
    for fraction, b in zip(fractions, (half, all_), strict=True):
        torch.testing.assert_close(b.noise, plain.noise * fraction[:, None, None, None])
    # Four standard errors of 400 draws: of a half, and of a uniform number's mean and deviation.
    assert (fractions[0] < 0.9999).float().mean().item() == pytest.approx(0.5, abs=4 * 0.025)
    assert fractions[1].mean().item() == pytest.approx(0.5, abs=4 * 0.0144)
    assert fractions[1].std().item() == pytest.approx(12**-0.5, abs=4 * 0.0065)
