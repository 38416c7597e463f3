"""A UNet that is told of noise that differs between pixels."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from invscore.networks import UNet, build_network
from invscore.networks.noise_maps import LocalFilm, relative_coordinates

F64 = torch.float64
OPTIONS: dict[str, Any] = {"widths": (4, 6, 8), "blocks": 1, "embedding": 8}
NOISE = torch.tensor([-0.5, 0.3], dtype=F64)


def network(*, learned: bool, noise_maps: bool = True, **options: Any) -> UNet:
    """One that gives something; ``learned``: it heeds the map, too."""
    torch.manual_seed(0)
    made = UNet(1, **OPTIONS, noise_maps=noise_maps, **options)
    torch.manual_seed(1)
    for module in made.modules():
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=0.5)
    nn.init.normal_(made.head.weight, std=0.3)
    for module in made.modules():
        if learned and isinstance(module, LocalFilm):
            nn.init.normal_(module.weight, std=0.5)
    return made.to(F64)


def image(*size: int) -> Tensor:
    return torch.randn(2, 1, *size, generator=torch.Generator().manual_seed(2), dtype=F64)


@pytest.mark.parametrize("size", [(8, 8), (5, 7), (1, 3)])
def test_white_noise_needs_no_map(size: tuple[int, int]) -> None:
    net, x = network(learned=True), image(*size)
    torch.testing.assert_close(net(x, NOISE, torch.zeros_like(x)), net(x, NOISE))
    assert not torch.allclose(net(x, NOISE, image(*size)), net(x, NOISE))


def test_it_begins_deaf_to_the_map() -> None:
    net, x = network(learned=False), image(8, 8)
    assert torch.equal(net(x, NOISE, image(8, 8)), net(x, NOISE))


def test_every_block_hears_the_map_at_its_resolution() -> None:
    """What each of them is told has the size of its features, and each of them learns from it."""
    net, x = network(learned=True), image(8, 8)
    told: list[int] = []
    for module in net.modules():
        if isinstance(module, LocalFilm):
            module.register_forward_hook(lambda _m, given, _r: told.append(given[0].shape[-1]))
    net(x, NOISE, image(8, 8)).square().sum().backward()
    assert told == [8, 4, 2, 4, 8]
    for module in net.modules():
        if isinstance(module, LocalFilm):
            assert module.weight.grad is not None
            assert module.weight.grad.abs().max() > 0


def test_attention_is_told_the_level_alone() -> None:
    net, x = network(learned=True, attention=1), image(8, 8)
    assert net(x, NOISE, image(8, 8)).shape == x.shape


def test_those_without_maps_have_the_weights_that_they_had() -> None:
    plain, told = network(learned=False, noise_maps=False), network(learned=False)
    added = told.state_dict().keys() - plain.state_dict().keys()
    assert not plain.noise_maps
    assert told.noise_maps
    assert {name.split(".")[-2] for name in added} == {"local", "mix"}
    built = build_network("unet", **OPTIONS, noise_maps=True)
    assert built.state_dict().keys() == told.state_dict().keys()


def test_relative_coordinates() -> None:
    """The level of the image is the geometric mean of its pixels' deviations."""
    deviations = torch.tensor([[0.1, 10.0], [2.0, 0.5]], dtype=F64)[:, None, None]
    usual, relative = relative_coordinates(deviations.log() / 4)
    torch.testing.assert_close((4 * usual).exp(), torch.ones(2, dtype=F64))
    torch.testing.assert_close((4 * (relative + usual[:, None, None, None])).exp(), deviations)
