"""A run that starts from another prior: same function, whatever the number of channels."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from invscore.files.checkpoint import CheckpointError, load_checkpoint
from invscore.networks import Potential, UNet
from invscore.priors import EnergyPrior, NetworkPrior
from invscore.training.loop import train
from invscore.training.warm_start import warm_start

OPTIONS = {"widths": (4, 8), "blocks": 1, "embedding": 8}


def network(channels: int, seed: int = 0, **options: Any) -> UNet:
    torch.manual_seed(seed)
    made = UNet(channels, **{**OPTIONS, **options})
    # A network that has learned nothing is 0 and ignores the noise level.
    nn.init.normal_(made.head.weight)
    nn.init.normal_(made.head.bias)  # type: ignore[arg-type]
    for module in made.modules():
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=0.5)
    return made


@pytest.fixture
def save(tmp_path: Path) -> Any:
    def write(
        channels: int, *, about: dict[str, Any] | None = None, **options: Any
    ) -> tuple[UNet, str]:
        made, path = network(channels, **options), tmp_path / f"{channels}.safetensors"
        architecture = {"name": "unet", "channels": channels, **OPTIONS, **options}
        metadata = {"architecture": architecture}
        prior = NetworkPrior(made, channels=channels, metadata=metadata, **(about or {}))
        prior.save(path, torch.float32)
        return made, str(path)

    return write


def gray(channels: int) -> Tensor:
    generator = torch.Generator().manual_seed(3)
    return torch.rand(2, 1, 8, 6, generator=generator).expand(-1, channels, -1, -1)


@pytest.mark.parametrize(("before", "after"), [(1, 1), (3, 3), (1, 3), (3, 1), (1, 2), (3, 2)])
def test_gray_images_are_treated_as_before(save: Any, before: int, after: int) -> None:
    source, file = save(before)
    ours = network(after, seed=1)
    warm_start(NetworkPrior(ours, channels=after), file)
    noise = torch.tensor([-0.5, 0.3])
    with torch.no_grad():
        torch.testing.assert_close(ours.stem(gray(after)), source.stem(gray(before)))
        expected = source(gray(before), noise)
        result = ours(gray(after), noise)
    if before != after:
        expected = expected.mean(dim=1, keepdim=True).expand(-1, after, -1, -1)
    torch.testing.assert_close(result, expected)


def test_features_of_a_gray_prior_see_the_colours_in_turn(save: Any) -> None:
    source, file = save(1)
    ours = network(3, seed=1)
    warm_start(NetworkPrior(ours, channels=3), file)
    blue = torch.cat([torch.zeros_like(gray(2)), gray(1)], dim=1)
    with torch.no_grad():
        features, expected = ours.stem(blue), source.stem(gray(1))
    torch.testing.assert_close(features[:, 2::3], expected[:, 2::3])
    assert torch.equal(features[:, 0], ours.stem.bias[0].expand(2, 8, 6))


def test_a_potential_begins_as_half_a_denoiser(save: Any) -> None:
    source, file = save(1)
    ours = Potential(network(1, seed=1))
    warm_start(EnergyPrior(ours, channels=1), file)
    noise = torch.tensor([-0.5, 0.3])
    with torch.no_grad():
        expected = (gray(1) * source(gray(1), noise)).sum(dim=(1, 2, 3)) / 2
        torch.testing.assert_close(ours.potential(gray(1), noise), expected)


@pytest.mark.parametrize("sigma", [0.01, 0.3, 4.0])
def test_images_are_moved_and_stretched(save: Any, sigma: float) -> None:
    source, file = save(1, about={"mean": 0.2, "sigma_data": 0.1})
    before = NetworkPrior(source, channels=1, mean=0.2, sigma_data=0.1)
    after = NetworkPrior(network(1, seed=1), channels=1, mean=0.5, sigma_data=0.3)
    warm_start(after, file)
    with torch.no_grad():
        expected = 0.5 + 3 * (before.denoise(0.2 + gray(1), sigma) - 0.2)
        torch.testing.assert_close(after.denoise(0.5 + 3 * gray(1), 3 * sigma), expected)


@pytest.mark.parametrize(("here", "there"), [("v", "edm"), ("data", {"noise": 1.0, "data": -2.0})])
def test_another_parametrisation(save: Any, here: Any, there: Any) -> None:
    _, file = save(1, about={"parametrisation": there})
    prior = NetworkPrior(network(1), channels=1, parametrisation=here)
    message = f"`prior.parametrisation` must be that of init {file!r}, {there!r}, got {here!r}"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        warm_start(prior, file)


@pytest.mark.parametrize(("before", "after"), [(0, 1), (0, 2), (1, 2)])
def test_attention_that_was_not_there_begins_anew(save: Any, before: int, after: int) -> None:
    source, file = save(1, attention=before)
    ours, untrained = network(1, seed=1, attention=after), network(1, seed=1, attention=after)
    warm_start(NetworkPrior(ours, channels=1), file)
    theirs = source.state_dict()
    for name, w in ours.state_dict().items():
        expected = theirs if name in theirs else untrained.state_dict()
        torch.testing.assert_close(w, expected[name], rtol=0, atol=1e-7)
    noise = torch.tensor([-0.5, 0.3])
    with torch.no_grad():
        change = ours(gray(1), noise) - source(gray(1), noise)
        assert 0 < change.std() < 0.1 * source(gray(1), noise).std()


@pytest.mark.parametrize("widths", [(6, 8), (4, 12), (7, 10), (8, 16)])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_wider_network_begins_as_the_narrower_one(
    save: Any, widths: tuple[int, int], channels: int
) -> None:
    source, file = save(1)
    ours = network(channels, seed=1, widths=widths)
    warm_start(NetworkPrior(ours, channels=channels), file)
    noise = torch.tensor([-0.5, 0.3])
    result = ours(gray(channels), noise)
    with torch.no_grad():
        torch.testing.assert_close(result, source(gray(1), noise).expand_as(result))
    # Nothing is in the way of what is new: it can be taken in, and learned, at once.
    result.square().sum().backward()
    block = ours.bottom[0]
    assert block.conv_in.weight.grad[:8, 8:].abs().sum() > 0 or widths[1] == 8
    assert block.conv_in.weight[8:].abs().sum() > 0 or widths[1] == 8


def test_a_potential_may_be_wider(save: Any) -> None:
    source, file = save(1)
    ours = Potential(network(1, seed=1, widths=(6, 12)))
    warm_start(EnergyPrior(ours, channels=1), file)
    noise = torch.tensor([-0.5, 0.3])
    with torch.no_grad():
        expected = (gray(1) * source(gray(1), noise)).sum(dim=(1, 2, 3)) / 2
        torch.testing.assert_close(ours.potential(gray(1), noise), expected)


def test_attention_is_not_widened(save: Any) -> None:
    _, file = save(1, attention=1)
    wide = network(1, attention=1, widths=(4, 16))
    with pytest.raises(ValueError, match=r"has another architecture: its 'bottom\.1\."):
        warm_start(NetworkPrior(wide, channels=1), file)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"widths": (4, 6)}, r"has shape \(8, 8, 3, 3\), the network's \(6, 6, 3, 3\)"),
        ({"widths": (3, 12)}, "has another architecture: its '"),
        ({"embedding": 16}, r"its 'embed\.mix\.0\.weight' has shape"),
        ({"blocks": 2}, r"8 tensors, such as 'bottom\.1\.conv_in\.bias', are in one network alone"),
        ({"widths": (4,)}, "are in one network alone"),
        ({"attention": 1, "blocks": 2}, r"such as 'bottom\.1\.conv_in\.bias', are in one"),
    ],
)
def test_another_architecture(save: Any, options: dict[str, Any], message: str) -> None:
    _, file = save(1)
    with pytest.raises(ValueError, match=message) as caught:
        warm_start(NetworkPrior(network(1, **options), channels=1), file)
    assert str(caught.value).startswith(f"init {file!r} has another architecture")


def test_attention_is_not_left_behind(save: Any) -> None:
    _, file = save(1, attention=1)
    with pytest.raises(ValueError, match=r"5 tensors, such as 'bottom\.1\.gain', are in one"):
        warm_start(NetworkPrior(network(1), channels=1), file)


def test_no_such_prior() -> None:
    with pytest.raises(CheckpointError, match="'nobody' is neither a file nor one of"):
        warm_start(NetworkPrior(network(1), channels=1), "nobody")


def test_a_run_starts_there_and_does_not_go_back(make_config: Any, save: Any) -> None:
    source, file = save(1)
    tiny = 1e-9  # a learning rate that changes nothing to speak of
    config = make_config(learning_rate=tiny).model_copy(update={"init": file})
    train(config)

    def weights() -> dict[str, Tensor]:
        return load_checkpoint(config.out / "state.safetensors")[0]

    for name, w in source.named_parameters():
        torch.testing.assert_close(weights()[f"network.{name}"], w, rtol=0, atol=1e-6)
    Path(file).unlink()  # a run that goes on has its own weights
    longer = config.optimiser.model_copy(update={"steps": 8})
    train(config.model_copy(update={"optimiser": longer}))
    for name, w in source.named_parameters():
        torch.testing.assert_close(weights()[f"network.{name}"], w, rtol=0, atol=1e-6)
