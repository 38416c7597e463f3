"""What a network is told while it learns, and how it ends without."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from invscore.checkpoint import load_checkpoint
from invscore.networks import Potential, UNet
from invscore.priors import load_prior
from invscore.training.data import PhotoCrops
from invscore.training.deform import NUMBERS
from invscore.training.draws import Draws
from invscore.training.hint import listen, told
from invscore.training.loop import Progress, train
from invscore.training.record import state_file


def network(*, energy: bool) -> torch.nn.Module:
    torch.manual_seed(0)
    made = UNet(1, widths=(4, 8), blocks=1, embedding=8)
    for w in made.parameters():
        torch.nn.init.normal_(w, std=0.3)
    return Potential(made) if energy else made


@pytest.mark.parametrize("energy", [False, True])
def test_a_hint_is_heard_while_it_is_told(energy: bool) -> None:
    made = network(energy=energy)
    x, noise, numbers = torch.ones(2, 1, 4, 4), torch.zeros(2), torch.tensor([[0.0] * 3, [1.0] * 3])
    before = made(x, noise)
    listen(made, 3)
    with told(made, numbers):
        assert torch.equal(made(x, noise), before), "it has learned nothing of it yet"
    for name, w in made.named_parameters():
        if name.endswith("hint.weight"):
            torch.nn.init.normal_(w)
    assert torch.equal(made(x, noise), before)
    with told(made, numbers):
        heard = made(x, noise)
    assert torch.equal(heard[0], before[0]), "zeros say nothing"
    assert (heard[1] - before[1]).abs().max() > 1e-3
    with pytest.raises(KeyError), told(made, numbers):
        raise KeyError
    assert torch.equal(made(x, noise), before)


def with_deformations(config: Any, share: float = 0.5) -> Any:
    return config.model_copy(update={"deform": config.deform.model_copy(update={"share": share})})


def test_a_share_of_the_images_is_deformed(make_config: Any) -> None:
    config = make_config(batch=400)
    data = config.data
    source = PhotoCrops(
        data.folder / "train", crop=data.crop, longest_side=data.longest_side, channels=1
    )
    (plain,) = Draws(config, source)(step=3)
    (some,) = Draws(with_deformations(config, 0.3), source)(step=3)
    assert plain.deformation is None
    assert some.deformation is not None
    assert some.deformation.shape == (400, NUMBERS)
    changed = some.deformation.any(dim=1)
    assert changed.float().mean().item() == pytest.approx(0.3, abs=4 * 0.023)
    differs = (some.clean != plain.clean).flatten(1).any(dim=1)
    assert torch.equal(differs, changed)
    assert torch.equal(some.noise, plain.noise)
    assert torch.equal(some.sigma, plain.sigma)
    moved = some.to(torch.device("meta")).deformation
    assert moved is not None
    assert moved.is_meta


@pytest.mark.parametrize("objective", ["denoising", "implicit", "controlled"])
def test_a_prior_is_never_told(make_config: Any, objective: str) -> None:
    config = with_deformations(make_config(steps=4)).model_copy(update={"objective": objective})
    file = train(config)
    weights, _ = load_checkpoint(file)
    assert not [name for name in weights if "hint" in name]
    assert load_prior(str(file)).denoise(torch.zeros(1, 1, 8, 8), 0.1).isfinite().all()
    state, _ = load_checkpoint(state_file(config))
    assert state["network.embed.hint.weight"].shape == (8, NUMBERS)
    assert state["network.embed.hint.weight"].any()
    assert state["average.0.embed.hint.weight"].any()


class Interrupted(Exception):
    pass


def test_interrupted_it_is_the_same_run(make_config: Any) -> None:
    def stop(progress: Progress) -> None:
        if progress.step == 3:
            raise Interrupted

    states = []
    for out in ("straight", "broken"):
        config = with_deformations(make_config(out))
        if out == "broken":
            with pytest.raises(Interrupted):
                train(config, on_step=stop)
        train(config)
        states.append(load_checkpoint(state_file(config))[0])
    for name, w in states[0].items():
        assert torch.equal(w, states[1][name]), name
