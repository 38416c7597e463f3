"""Augmentation labels: known while a network learns, and what it does without."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
import torch
from pydantic import ValidationError

from invscore.files.checkpoint import load_checkpoint, save_checkpoint
from invscore.networks import Potential, UNet
from invscore.priors import load_prior
from invscore.training.augment import LABELS
from invscore.training.augmentation_labels import add_label_embedding, labelled
from invscore.training.batches import Batches
from invscore.training.config import TrainConfig
from invscore.training.data import PhotoCrops
from invscore.training.loop import Progress, train
from invscore.training.record import state_file


def network(*, energy: bool) -> torch.nn.Module:
    torch.manual_seed(0)
    made = UNet(1, widths=(4, 8), blocks=1, embedding=8)
    for w in made.parameters():
        torch.nn.init.normal_(w, std=0.3)
    return Potential(made) if energy else made


@pytest.mark.parametrize("energy", [False, True])
def test_labels_count_while_they_are_known(energy: bool) -> None:
    made = network(energy=energy)
    x, noise, numbers = torch.ones(2, 1, 4, 4), torch.zeros(2), torch.tensor([[0.0] * 3, [1.0] * 3])
    before = made(x, noise)
    add_label_embedding(made, 3)
    with labelled(made, numbers):
        assert torch.equal(made(x, noise), before), "it has learned nothing of it yet"
    for name, w in made.named_parameters():
        if name.endswith("augmentation.weight"):
            torch.nn.init.normal_(w)
    assert torch.equal(made(x, noise), before)
    with labelled(made, numbers):
        heard = made(x, noise)
    assert torch.equal(heard[0], before[0]), "zeros say nothing"
    assert (heard[1] - before[1]).abs().max() > 1e-3
    with pytest.raises(KeyError), labelled(made, numbers):
        raise KeyError
    assert torch.equal(made(x, noise), before)


def with_augmentation(config: Any, share: float = 0.5) -> Any:
    return config.model_copy(update={"augment": config.augment.model_copy(update={"share": share})})


def test_a_share_of_the_images_is_augmented(make_config: Any) -> None:
    config = make_config(batch=400)
    data = config.data
    source = PhotoCrops(
        data.folder / "train", crop=data.crop, longest_side=data.longest_side, channels=1
    )
    (plain,) = Batches(config, source)(step=3)
    (some,) = Batches(with_augmentation(config, 0.3), source)(step=3)
    assert plain.augmentation is None
    assert some.augmentation is not None
    assert some.augmentation.shape == (400, LABELS)
    changed = some.augmentation.any(dim=1)
    assert changed.float().mean().item() == pytest.approx(0.3, abs=4 * 0.023)
    differs = (some.clean != plain.clean).flatten(1).any(dim=1)
    assert torch.equal(differs, changed)
    assert torch.equal(some.noise, plain.noise)
    assert torch.equal(some.sigma, plain.sigma)
    moved = some.to(torch.device("meta")).augmentation
    assert moved is not None
    assert moved.is_meta


@pytest.mark.parametrize("objective", ["denoising", "implicit", "controlled"])
def test_a_prior_has_no_labels(make_config: Any, objective: str) -> None:
    config = with_augmentation(make_config(steps=4)).model_copy(update={"objective": objective})
    file = train(config)
    weights, _ = load_checkpoint(file)
    assert not [name for name in weights if "augmentation" in name]
    assert load_prior(str(file)).denoise(torch.zeros(1, 1, 8, 8), 0.1).isfinite().all()
    state, _ = load_checkpoint(state_file(config))
    assert state["network.embed.augmentation.weight"].shape == (8, LABELS)
    assert state["network.embed.augmentation.weight"].any()
    assert state["average.0.embed.augmentation.weight"].any()


class Interrupted(Exception):
    pass


def test_interrupted_it_is_the_same_run(make_config: Any) -> None:
    def stop(progress: Progress) -> None:
        if progress.step == 3:
            raise Interrupted

    states = []
    for out in ("straight", "broken"):
        config = with_augmentation(make_config(out))
        if out == "broken":
            with pytest.raises(Interrupted):
                train(config, on_step=stop)
        train(config)
        states.append(load_checkpoint(state_file(config))[0])
    for name, w in states[0].items():
        assert torch.equal(w, states[1][name]), name


def test_former_names_go_on(make_config: Any) -> None:
    """The key and the weights' name of older configurations and states."""
    config = with_augmentation(make_config(steps=2))
    train(config)
    file = state_file(config)
    tensors, metadata = load_checkpoint(file)
    metadata["recipe"]["deform"] = metadata["recipe"].pop("augment")
    former = {k.replace(".augmentation.", ".hint."): w for k, w in tensors.items()}
    assert set(former) != set(tensors)
    save_checkpoint(file, former, metadata)
    longer = config.optimiser.model_copy(update={"steps": 3})
    said = config.model_copy(update={"optimiser": longer}).model_dump()
    said["deform"] = said.pop("augment")
    with pytest.warns(FutureWarning, match="the key deform is now called augment"):
        again = TrainConfig.model_validate(said)
    assert again.augment == config.augment
    with warnings.catch_warnings(action="error", category=FutureWarning):
        train(again)
    assert load_checkpoint(file)[1]["step"] == 3
    with pytest.raises(ValidationError, match="its former name `deform`, got both"):
        TrainConfig.model_validate({**said, "augment": {"share": 0.1}})
