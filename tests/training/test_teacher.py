"""Distillation: what a teacher says takes the place of the images."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from invscore.batches import per_image
from invscore.networks import build_network
from invscore.priors import NetworkPrior, load_prior
from invscore.training.batches import Batch
from invscore.training.config import TrainConfig
from invscore.training.loop import Progress, train
from invscore.training.loss import LOSSES
from invscore.training.teacher import Teacher

SIZE = {"channels": 1, "widths": [4, 8], "blocks": 1, "embedding": 8}


def network_prior(seed: int, **others: Any) -> NetworkPrior:
    """A network that does something: none of its layers is 0."""
    torch.manual_seed(seed)
    network = build_network("unet", **{**SIZE, **others})
    with torch.no_grad():
        for weights in network.parameters():
            weights.add_(0.1 * torch.randn_like(weights))
    metadata = {"name": "teacher", "architecture": {"name": "unet", **SIZE, **others}}
    return NetworkPrior(network, channels=others.get("channels", 1), metadata=metadata)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    network_prior(0).save(tmp_path / "teacher.safetensors", torch.float32)
    return tmp_path / "teacher.safetensors"


def drawn(count: int = 4) -> Batch:
    random = torch.Generator().manual_seed(1)
    clean = torch.rand(count, 1, 8, 8, generator=random)
    noise = torch.randn(count, 1, 8, 8, generator=random)
    return Batch(clean, torch.linspace(0.1, 1.5, count), noise)


def test_white_noise_is_taught_and_other_noise_is_not(saved: Path) -> None:
    """Also where a map is the same everywhere: at its level, which need not be that of sigma."""
    batch = drawn()
    maps = per_image(batch.sigma, batch.clean).expand(batch.clean.shape).clone()
    maps[1, :, :4] = 0.05
    maps[2] = 0.07
    labels = torch.ones(4, 3)
    batch = replace(batch, maps=maps, augmentation=labels)
    taught = Teacher(str(saved), network_prior(1))(batch)
    teacher = load_prior(saved)
    assert taught.target is not None
    assert taught.augmentation is not None
    for k, level in [(0, float(batch.sigma[0])), (2, 0.07), (3, float(batch.sigma[3]))]:
        x = batch.clean[k : k + 1] + level * batch.noise[k : k + 1]
        torch.testing.assert_close(taught.target[k : k + 1], teacher.denoise(x, level))
        assert (taught.augmentation[k] == 0).all()
    assert (taught.target[1] == batch.clean[1]).all()
    assert (taught.augmentation[1] == 1).all()
    assert (labels == 1).all()


def test_a_pupil_that_is_its_teacher_has_nothing_to_learn(saved: Path) -> None:
    """The loss is exactly the distance from what the teacher says, at every noise."""
    pupil = load_prior(saved)
    assert isinstance(pupil, NetworkPrior)
    taught = Teacher(str(saved), pupil)(drawn())
    assert LOSSES["denoising"](pupil, taught) == 0
    assert LOSSES["denoising"](pupil, drawn()) > 0.1
    other = network_prior(1)
    level = per_image(taught.sigma, taught.clean)
    x = taught.clean + level * taught.noise
    apart = other.denoise(x, taught.sigma) - pupil.denoise(x, taught.sigma)
    expected = (other.loss_weight(level) * apart**2).mean()
    torch.testing.assert_close(LOSSES["denoising"](other, taught), expected)


def test_a_run_comes_near_to_its_teacher(make_config: Any, saved: Path) -> None:
    def distance(prior: Any) -> Tensor:
        batch = drawn(16)
        x = batch.clean + per_image(batch.sigma, batch.clean) * batch.noise
        return (prior.denoise(x, batch.sigma) - load_prior(saved).denoise(x, batch.sigma)).norm()

    found: list[float] = []
    for name in (str(saved), None):
        config = make_config(f"run{len(found)}", steps=60, batch=8, learning_rate=0.01, ema=0.9)
        config = TrainConfig.model_validate({**config.model_dump(), "teacher": name})
        found.append(float(distance(load_prior(train(config)))))
    assert found[0] < 0.5 * found[1]


def test_a_run_with_a_teacher_goes_on(make_config: Any, saved: Path) -> None:
    def run(out: str, *lengths: int) -> bytes:
        for steps in lengths:
            config = make_config(out, steps=steps, schedule="constant").model_dump()
            path = train(TrainConfig.model_validate({**config, "teacher": str(saved)}))
        return path.with_name("state.safetensors").read_bytes()

    # The recipe names the folder, so that only tensors are compared: they are at the end.
    assert run("whole", 4)[-4000:] == run("parts", 2, 4)[-4000:]


def test_teachers_that_cannot_teach_are_refused(make_config: Any, tmp_path: Path) -> None:
    network_prior(0, channels=3).save(tmp_path / "colour.safetensors")
    config = {**make_config().model_dump(), "teacher": str(tmp_path / "colour.safetensors")}
    reports: list[Progress] = []
    with pytest.raises(ValueError, match=r"real images of 1 channels, got .* of 3 channels"):
        train(TrainConfig.model_validate(config), on_step=reports.append)
    assert not reports
    for changes in ({"objective": "flow"}, {"noise": {"overstated": 0.1}}):
        with pytest.raises(ValueError, match="`teacher` must be left out"):
            TrainConfig.model_validate({**config, **changes})
