"""The objectives that a configuration can name: one D, taught in different ways."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, get_args

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from invscore.priors import NetworkPrior
from invscore.training.batches import Batch, Batches
from invscore.training.config import Objective, TrainConfig
from invscore.training.data import Source
from invscore.training.loop import Progress, train
from invscore.training.loss import LOSSES
from invscore.training.objectives import random_signs

F64 = torch.float64
LEVELS = torch.tensor([0.3, 0.8], dtype=F64)
MEAN, SPREAD = 0.4, 0.5


class TwoLevels(nn.Module):
    """An affine function of its own for each of the two noise levels."""

    def __init__(self) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.tensor([[0.3, -0.2], [0.1, 0.5]], dtype=F64))

    def forward(self, x: Tensor, noise: Tensor) -> Tensor:
        first = (noise.double() < LEVELS.log().mean() / 4).double()[:, None]
        gain, shift = (first * self.weights[0] + (1 - first) * self.weights[1]).T
        return gain.reshape(-1, 1, 1, 1) * x + shift.reshape(-1, 1, 1, 1)


def gaussian_batch(count: int, seed: int) -> Batch:
    """Images of one pixel, normal about 0.1 with a deviation of 0.7: neither is the prior's."""
    random = np.random.default_rng(seed)
    clean = 0.1 + 0.7 * torch.from_numpy(random.standard_normal((count, 1, 1, 1)))
    noise = torch.from_numpy(random.standard_normal((count, 1, 1, 1)))
    sigma = LEVELS.repeat(count // 2)
    return Batch(clean, sigma, noise, random_signs(clean, random), reference=clean)


@pytest.mark.parametrize("objective", get_args(Objective))
def test_every_objective_learns_the_exact_denoiser(objective: str) -> None:
    """All losses are quadratic in the weights: Newton's step leads to the minimum."""
    network = TwoLevels()
    prior = NetworkPrior(network, channels=1, mean=MEAN, sigma_data=SPREAD)
    learned = []
    for seed in range(12):
        network.weights.data = torch.zeros(2, 2, dtype=F64)
        loss = LOSSES[objective](prior, gaussian_batch(3000, seed))
        (slope,) = torch.autograd.grad(loss, network.weights, create_graph=True)
        rows = [
            torch.autograd.grad(s, network.weights, retain_graph=True)[0] for s in slope.flatten()
        ]
        step = torch.linalg.solve(torch.stack(rows).flatten(1), slope.flatten())
        network.weights.data -= step.detach().reshape(2, 2)
        x = torch.tensor([-1.0, 1.5], dtype=F64).reshape(-1, 1, 1, 1)
        with torch.no_grad():
            learned.append(torch.stack([prior.denoise(x, float(s)).flatten() for s in LEVELS]))
    found = torch.stack(learned)
    error = found.std(dim=0) / len(found) ** 0.5
    exact = 0.1 + (x.flatten() - 0.1) * (0.49 / (0.49 + LEVELS[:, None] ** 2))
    assert ((found.mean(dim=0) - exact).abs() <= 5 * error).all()
    assert error.max() < 0.02


def test_the_losses_differ_where_they_should() -> None:
    """By a constant that the weights do not enter, or by the weight of levels."""
    prior = NetworkPrior(TwoLevels(), channels=1, mean=MEAN, sigma_data=SPREAD)
    batch = gaussian_batch(4, 0)
    level = batch.sigma.reshape(-1, 1, 1, 1)
    error = prior.denoise(batch.clean + level * batch.noise, batch.sigma) - batch.clean
    expected = ((1 / level + 1 / SPREAD) ** 2 * error**2).mean()
    torch.testing.assert_close(LOSSES["flow"](prior, batch), expected)
    alone = Batch(batch.clean[:1], batch.sigma[:1], batch.noise[:1], reference=batch.clean[:1])
    torch.testing.assert_close(LOSSES["stable"](prior, alone), LOSSES["denoising"](prior, alone))


def test_an_augmented_image_keeps_its_own_target() -> None:
    prior = NetworkPrior(TwoLevels(), channels=1, mean=MEAN, sigma_data=SPREAD)
    batch = gaussian_batch(4, 0)
    augmentation = torch.tensor([[0.0, 0.0], [0.0, 1.5], [0.0, 0.0], [2.0, 0.0]])
    labelled = replace(batch, reference=batch.clean, augmentation=augmentation)
    alike = replace(labelled, augmentation=None)

    def part(batch: Batch, chosen: list[int]) -> Batch:
        return replace(
            batch, clean=batch.clean[chosen], sigma=batch.sigma[chosen], noise=batch.noise[chosen]
        )

    stable, usual = LOSSES["stable"], LOSSES["denoising"]
    expected = (stable(prior, part(alike, [0, 2])) + usual(prior, part(batch, [1, 3]))) / 2
    torch.testing.assert_close(stable(prior, labelled), expected)
    assert not torch.isclose(stable(prior, alike), expected)


@pytest.mark.parametrize(("objective", "missing"), [("implicit", "signs"), ("stable", "reference")])
def test_what_an_objective_needs_has_to_be_there(objective: str, missing: str) -> None:
    prior = NetworkPrior(TwoLevels(), channels=1)
    batch = gaussian_batch(2, 0)
    with pytest.raises(ValueError, match=missing):
        LOSSES[objective](prior, Batch(batch.clean, batch.sigma, batch.noise))


class Pixels(Source):
    """Images of one pixel, two drawn together."""

    shape, together = (1, 1, 1), 2

    def batch(self, count: int, random: np.random.Generator) -> Tensor:
        return 0.1 + 0.7 * torch.from_numpy(random.standard_normal((count, 1, 1, 1)))

    def digest(self) -> str:
        return ""


@pytest.mark.parametrize("objective", get_args(Objective))
@pytest.mark.parametrize(("processes", "parts"), [(1, 2), (1, 4), (2, 1), (2, 2)])
def test_a_step_does_not_depend_on_how_it_is_shared(
    make_config: Any, objective: str, processes: int, parts: int
) -> None:
    """At a level at which every image may lie behind every other's noise."""
    config = make_config(batch=16).model_dump()
    config |= {"objective": objective, "noise": {"log_mean": 0.7, "log_std": 0.1}}
    prior = NetworkPrior(TwoLevels(), channels=1, mean=MEAN, sigma_data=SPREAD)

    def step(processes: int, parts: int) -> tuple[Tensor, Tensor]:
        config["optimiser"]["accumulate"] = parts
        model = TrainConfig.model_validate(config)
        losses = [
            LOSSES[objective](prior, part.to(torch.device("cpu")))
            for rank in range(processes)
            for part in Batches(model, Pixels(), rank=rank, processes=processes)(step=3)
        ]
        assert len(losses) == processes * parts
        loss = torch.stack(losses).mean()
        return loss.detach(), torch.autograd.grad(loss, prior.network.weights)[0]

    torch.testing.assert_close(step(processes, parts), step(1, 1))


@pytest.mark.parametrize(
    ("precision", "attention"), [("fp32", 0), ("bf16", 0), ("fp32", 1), ("bf16", 1)]
)
def test_networks_train_with_each(make_config: Any, precision: str, attention: int) -> None:
    """By the loss that is named, each of another value."""
    losses = []
    for objective in get_args(Objective):
        config = make_config(objective, steps=2).model_dump()
        config |= {"objective": objective, "precision": precision, "noise": {"log_mean": 0.0}}
        config["network"]["attention"] = attention
        reports: list[Progress] = []
        train(TrainConfig.model_validate(config), on_step=reports.append)
        losses.append(reports[-1].loss)
    assert np.isfinite(losses).all()
    assert len(set(losses)) == len(losses)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"objective": "score"}, "objective"),
        ({"objective": "flow", "prior": {"complex": True}}, "must be denoising for complex images"),
        ({"objective": "stable", "noise": {"overstated": 0.1}}, "overstated` must be 0"),
    ],
)
def test_what_cannot_be_learned_is_refused(
    make_config: Any, changes: dict[str, Any], reason: str
) -> None:
    with pytest.raises(ValueError, match=reason):
        TrainConfig.model_validate({**make_config().model_dump(), **changes})
