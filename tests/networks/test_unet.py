"""The UNet takes images of any size, one by one or in batches."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from invscore.networks import NETWORKS, SIZES, UNet, build_network
from invscore.networks.unet import ResidualBlock


def network(channels: int = 1, dtype: torch.dtype = torch.float64) -> UNet:
    torch.manual_seed(0)
    net = UNet(channels, widths=(4, 6, 8), blocks=1, embedding=8)
    # An untrained network ignores the noise level and gives 0.
    for module in net.modules():
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=0.5)
    nn.init.normal_(net.head.weight, std=0.3)
    return net.to(dtype)


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (5, 3), (8, 8), (13, 20)])
@pytest.mark.parametrize("channels", [1, 3])
def test_any_size(size: tuple[int, int], channels: int) -> None:
    x = torch.randn(2, channels, *size, dtype=torch.float64)
    y = network(channels)(x, torch.zeros(2, dtype=torch.float64))
    assert y.shape == x.shape
    assert y.isfinite().all()
    assert y.std() > 0


def test_a_batch_is_its_images() -> None:
    net = network()
    x = torch.randn(4, 1, 6, 9, dtype=torch.float64)
    noise = torch.tensor([-1.5, -0.3, 0.0, 0.7], dtype=torch.float64)
    alone = torch.cat([net(x[i : i + 1], noise[i : i + 1]) for i in range(4)])
    torch.testing.assert_close(net(x, noise), alone, rtol=1e-12, atol=1e-12)
    assert (net(x, noise) - net(x, noise.flip(0))).abs().max() > 1e-3, "noise enters"


def test_padding_is_reflection() -> None:
    """An image that is extended by hand gives the same, cropped."""
    net, noise = network(), torch.zeros(1, dtype=torch.float64)
    x = torch.randn(1, 1, 6, 7, dtype=torch.float64)
    extended = nn.functional.pad(x, (0, 1, 0, 2), mode="reflect")
    torch.testing.assert_close(net(x, noise), net(extended, noise)[..., :6, :7])


def test_block_by_its_formula() -> None:
    torch.manual_seed(1)
    block = ResidualBlock(4, embedding=3).double()
    for w in block.parameters():
        nn.init.normal_(w, std=0.5)
    h = torch.randn(2, 4, 5, 6, dtype=torch.float64)
    embedding = torch.randn(2, 3, dtype=torch.float64)
    film = embedding @ block.film.weight.T + block.film.bias
    scale, shift = film[:, :4, None, None], film[:, 4:, None, None]
    inner = nn.functional.silu(block.conv_in(h) * (1 + scale) + shift)
    torch.testing.assert_close(block(h, embedding), h + block.conv_out(inner))


def test_shifts_by_the_stride_shift_the_result() -> None:
    net, noise = network(), torch.zeros(1, dtype=torch.float64)
    x = torch.randn(1, 1, 96, 96, dtype=torch.float64)
    moved = net(x.roll((4, 8), dims=(2, 3)), noise)
    inner = (..., slice(40, 56), slice(40, 56))
    torch.testing.assert_close(moved[inner], net(x, noise).roll((4, 8), dims=(2, 3))[inner])


def test_every_weight_matters() -> None:
    net = network()
    noise = torch.tensor([0.3], dtype=torch.float64)
    net(torch.randn(1, 1, 12, 8, dtype=torch.float64), noise).square().sum().backward()
    for name, w in net.named_parameters():
        assert w.grad is not None, name
        assert w.grad.abs().max() > 0, name


@torch.no_grad()
def test_an_untrained_network_is_zero_and_stable() -> None:
    torch.manual_seed(0)
    net = UNet(1, widths=(8, 16), blocks=4, embedding=8)
    x = torch.randn(1, 1, 16, 16)
    assert torch.equal(net(x, torch.zeros(1)), torch.zeros_like(x))
    h = net.stem(x)
    for block in net.encoder[0]:  # type: ignore[union-attr]
        h = block(h, net.embed(torch.zeros(1)))
    assert h.std().item() == pytest.approx(net.stem(x).std().item(), rel=0.2)


def test_precision_follows_the_weights() -> None:
    for dtype in (torch.float32, torch.float64, torch.bfloat16):
        x = torch.randn(1, 1, 8, 8, dtype=dtype)
        assert network(dtype=dtype)(x, torch.zeros(1, dtype=dtype)).dtype == dtype


def test_a_shifted_embedding() -> None:
    embedding = network().embed
    noise = torch.tensor([-1.5, 0.0, 0.7], dtype=torch.float64)
    expected = embedding(noise + 0.3)
    embedding.shift(0.3)
    torch.testing.assert_close(embedding(noise), expected)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"embedding": 15}, "`embedding` must be an even number of at least 2, got 15"),
        ({"embedding": 1}, "`embedding` must be an even number"),
        ({"embedding": 0}, "`embedding` must be an even number"),
        ({"widths": ()}, r"`widths` must hold at least one number, got \[\]"),
        (
            {"blocks": (1, 2)},
            r"`blocks` must be one number or one for each of `widths`, .* 4, got \[1, 2\]",
        ),
    ],
)
def test_networks_that_cannot_be(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        UNet(**options)


def test_names() -> None:
    assert isinstance(build_network("unet", channels=2, widths=(4,), blocks=1), NETWORKS["unet"])
    with pytest.raises(ValueError, match="unknown network 'unett': known are unet"):
        build_network("unett")


@pytest.mark.parametrize(
    ("size", "millions"), [("tiny", 0.36), ("small", 1.26), ("base", 4.64), ("large", 17.76)]
)
def test_sizes(size: str, millions: float) -> None:
    with torch.device("meta"):
        net = UNet(1, **SIZES[size])
    assert sum(w.numel() for w in net.parameters()) / 1e6 == pytest.approx(millions, abs=0.005)


def test_the_default_is_base() -> None:
    with torch.device("meta"):
        default, base = UNet().state_dict(), UNet(**SIZES["base"]).state_dict()
    assert {k: w.shape for k, w in default.items()} == {k: w.shape for k, w in base.items()}


def test_blocks_of_each_resolution() -> None:
    torch.manual_seed(0)
    net = UNet(1, widths=(4, 6, 8), blocks=(1, 2, 3), embedding=8)
    counts = [len(stage) for stage in (*net.encoder, net.bottom, *net.decoder)]  # type: ignore[arg-type]
    assert counts == [1, 2, 3, 1, 2]
    alike, uneven = UNet(widths=(4, 6), blocks=2), UNet(widths=(4, 6), blocks=(2, 2))
    assert alike.state_dict().keys() == uneven.state_dict().keys()
    # 2 of stem and head; of a block 4 at stride 1, 8 at 2, 8 at the coarsest; 3 of halvings.
    assert net.reach == 2 + 4 + 2 * 8 + 3 * 8 + 3
    assert net(torch.rand(1, 1, 9, 7), torch.zeros(1)).shape == (1, 1, 9, 7)
