"""DRUNet, DnCNN and FFDNet as deepinv builds them and as KAIR and others lay out their files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, pad, pixel_shuffle, pixel_unshuffle, relu

from invscore.files.checkpoint import CheckpointError
from invscore.priors.foreign import load_foreign

deepinv = pytest.importorskip("deepinv.models", exc_type=ImportError)

LEVELS = (0.005, 0.02, 0.05, 0.1, 0.19)


def saved(folder: Path, content: Any) -> Path:
    path = folder / "net.pth"
    torch.save(content, path)
    return path


def agrees(
    path: Path,
    expected: Callable[[Tensor, Tensor], Tensor],
    shape: tuple[int, ...],
    facts: Mapping[str, Any] | None = None,
) -> None:
    """The prior in ``path`` is ``expected(x, sigma)`` at five levels, one an image."""
    prior = load_foreign(path, facts or {})
    x = torch.rand(len(LEVELS), *shape, generator=torch.Generator().manual_seed(0))
    sigma = torch.tensor(LEVELS)
    with torch.no_grad():
        given, wanted = prior.denoise(x, sigma), expected(x, sigma)
    assert (wanted - x).abs().max() > 1e-2
    torch.testing.assert_close(given, wanted, atol=1e-4, rtol=0)


def randomised(network: nn.Module, gain: float = 1.4) -> nn.Module:
    generator = torch.Generator().manual_seed(1)
    for weight in network.parameters():
        scale = gain * weight[0].numel() ** -0.5 if weight.ndim > 1 else 0.1
        weight.data = scale * torch.randn(weight.shape, generator=generator)
    return network.eval()


@pytest.mark.parametrize("channels", [1, 3])
def test_drunet_of_deepinv(tmp_path: Path, channels: int) -> None:
    network = deepinv.DRUNet(channels, channels, nc=(8, 12, 16, 20), nb=2, pretrained=None)
    randomised(network)
    agrees(saved(tmp_path, network.state_dict()), network, (channels, 32, 40))


def test_drunet_pads_images_of_other_sizes_by_reflection(tmp_path: Path) -> None:
    network = randomised(deepinv.DRUNet(1, 1, nc=(8, 8, 8, 8), nb=1, pretrained=None))

    def cropped(x: Tensor, sigma: Tensor) -> Tensor:
        return network(pad(x, (0, 5, 0, 3), mode="reflect"), sigma)[..., :37, :35]

    agrees(saved(tmp_path, network.state_dict()), cropped, (1, 37, 35))


def test_drunet_in_half_precision_computes_in_single(tmp_path: Path) -> None:
    network = randomised(deepinv.DRUNet(1, 1, nc=(8, 8, 8, 8), nb=1, pretrained=None))
    half = {f"module.{name}": w.half() for name, w in network.state_dict().items()}
    network.load_state_dict({n.removeprefix("module."): w.float() for n, w in half.items()})
    agrees(saved(tmp_path, {"state_dict": half}), network, (1, 32, 32))


def test_gradient_step_drunet_of_deepinv_and_its_jacobian(tmp_path: Path) -> None:
    network = deepinv.GSDRUNet(in_channels=1, out_channels=1, nb=1, nc=(8, 8, 8, 8))
    randomised(network, 0.7)
    path = saved(tmp_path, {"state_dict": network.state_dict()})
    agrees(path, lambda x, sigma: network(x.clone(), sigma), (1, 32, 32))

    x = torch.rand(1, 1, 32, 32, dtype=torch.float64)
    _, pull = load_foreign(path, {}).double().pullback(x, 0.1)
    u, v = torch.randn(2, *x.shape, dtype=torch.float64)
    D = load_foreign(path, {}).double().denoise
    finite = (D(x + 1e-5 * v, 0.1) - D(x - 1e-5 * v, 0.1)) / 2e-5
    torch.testing.assert_close((pull(u) * v).sum(), (u * finite).sum(), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close((pull(v) * u).sum(), (pull(u) * v).sum())  # of a gradient


@pytest.mark.parametrize("channels", [1, 3])
def test_dncnn_of_deepinv_is_trained_at_one_level(tmp_path: Path, channels: int) -> None:
    network = randomised(deepinv.DnCNN(channels, channels, depth=5, nf=8, pretrained=None))
    path = saved(tmp_path, network.state_dict())
    prior = load_foreign(path, {"level": 0.1})
    assert (prior.sigma_min, prior.sigma_max) == (0.1, 0.1)
    x = torch.rand(2, channels, 17, 20)
    torch.testing.assert_close(prior.denoise(x, 0.1), network(x), atol=1e-4, rtol=0)

    blind = {"sigma_min": 0.001, "sigma_max": 0.3}
    agrees(path, lambda x, sigma: network(x), (channels, 17, 20), blind)
    with pytest.raises(CheckpointError, match=r"`level` must be given.*one noise level"):
        load_foreign(path, {})
    for level in (25, 0, "low", True):
        with pytest.raises(CheckpointError, match=rf"`level` must lie in \(0, 1\], got {level!r}"):
            load_foreign(path, {"level": level})


def chain(layers: list[tuple[Tensor, Tensor | None]], h: Tensor) -> Tensor:
    for i, (weight, bias) in enumerate(layers):
        h = conv2d(h if i == 0 else relu(h), weight, bias, padding=1)
    return h


def random_layers(*widths: int, bias: bool = True) -> list[tuple[Tensor, Tensor | None]]:
    torch.manual_seed(2)
    return [
        (torch.randn(b, a, 3, 3) / (3 * a**0.5), 0.1 * torch.randn(b) if bias else None)
        for a, b in pairwise(widths)
    ]


def numbered(layers: list[tuple[Tensor, Tensor | None]], prefix: str) -> dict[str, Tensor]:
    """As in a sequence of convolutions and ReLUs."""
    named = {}
    for i, (weight, bias) in enumerate(layers):
        named[f"{prefix}{2 * i}.weight"] = weight
        if bias is not None:
            named[f"{prefix}{2 * i}.bias"] = bias
    return named


def test_dncnn_of_kair_predicts_the_noise(tmp_path: Path) -> None:
    layers = random_layers(3, 8, 8, 8, 3)
    path = saved(tmp_path, numbered(layers, "model."))
    blind = {"sigma_min": 0.001, "sigma_max": 0.3}
    agrees(path, lambda x, sigma: x - chain(layers, x), (3, 9, 13), blind)


def test_batch_normalisation_goes_into_the_weights(tmp_path: Path) -> None:
    layers = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(),
        nn.Conv2d(8, 8, 3, padding=1), nn.BatchNorm2d(8, eps=1e-4), nn.ReLU(),
        nn.Conv2d(8, 8, 3, padding=1), nn.BatchNorm2d(8, eps=1e-4), nn.ReLU(),
        nn.Conv2d(8, 1, 3, padding=1),
    )  # fmt: skip
    for _ in range(20):  # the statistics
        layers(0.2 * torch.randn(4, 1, 16, 16))
    layers[3].running_var[0] = 2e-4  # the constant counts
    layers.eval()
    path = saved(tmp_path, {f"model.{name}": w for name, w in layers.state_dict().items()})
    blind = {"sigma_min": 0.001, "sigma_max": 0.3}
    agrees(path, lambda x, sigma: x - layers(x), (1, 16, 16), blind)


def test_fdncnn_of_kair_is_told_the_level_in_a_channel(tmp_path: Path) -> None:
    layers = random_layers(4, 8, 8, 3)

    def expected(x: Tensor, sigma: Tensor) -> Tensor:
        return chain(layers, torch.cat([x, sigma[:, None, None, None] + 0 * x[:, :1]], 1))

    agrees(saved(tmp_path, numbered(layers, "model.")), expected, (3, 9, 13))


def test_ffdnet_of_kair_is_told_the_level_after_the_image(tmp_path: Path) -> None:
    layers = random_layers(13, 8, 8, 12)

    def expected(x: Tensor, sigma: Tensor) -> Tensor:
        h = pixel_unshuffle(x, 2)
        told = sigma[:, None, None, None] + 0 * h[:, :1]
        return pixel_shuffle(chain(layers, torch.cat([h, told], 1)), 2)

    agrees(saved(tmp_path, numbered(layers, "model.")), expected, (3, 8, 12))


@pytest.mark.parametrize("channels", [1, 3])
def test_ffdnet_of_ipol_is_told_the_level_before_the_image(tmp_path: Path, channels: int) -> None:
    layers = random_layers(5 * channels, 8, 8, 4 * channels, bias=False)

    def expected(x: Tensor, sigma: Tensor) -> Tensor:
        h = pixel_unshuffle(x, 2)
        told = sigma[:, None, None, None] + 0 * h[:, :channels]
        return x - pixel_shuffle(chain(layers, torch.cat([told, h], 1)), 2)

    names = numbered(layers, "module.intermediate_dncnn.itermediate_dncnn.")
    agrees(saved(tmp_path, names), expected, (channels, 8, 12))


@pytest.mark.parametrize("residual", [False, True])
def test_ffdnet_of_deepinv(tmp_path: Path, residual: bool) -> None:
    network = deepinv.FFDNet(
        n_conv_layers=4, nf=8, img_channels=1, norm="batch_norm", pretrained=None,
        residual_denoising=residual,
    )  # fmt: skip
    randomised(network)
    path = saved(tmp_path, network.state_dict())
    agrees(path, network, (1, 8, 12), {"residual": residual})


def test_what_does_not_fit_is_named(tmp_path: Path) -> None:
    weights = deepinv.DRUNet(1, 1, nc=(8, 8, 8, 8), nb=1, pretrained=None).state_dict()
    for name in ("m_tail.weight", "m_down2.0.res.2.weight"):
        rest = {n: w for n, w in weights.items() if n != name}
        with pytest.raises(CheckpointError, match=name):
            load_foreign(saved(tmp_path, rest), {})
    with pytest.raises(CheckpointError, match=r"1 are left over, such as 'extra.weight'"):
        load_foreign(saved(tmp_path, {**weights, "extra.weight": torch.ones(2)}), {})
    with pytest.raises(CheckpointError, match=r"another shape, such as 'm_up1.1.res.0.weight'"):
        load_foreign(saved(tmp_path, {**weights, "m_up1.1.res.0.weight": torch.ones(2)}), {})
    pooled = deepinv.DRUNet(
        1, 1, nc=(8, 8, 8, 8), nb=1, pretrained=None, downsample_mode="avgpool"
    ).state_dict()  # fmt: skip
    with pytest.raises(CheckpointError, match=r"no m_down1\.1\.weight, as a DRUNet has"):
        load_foreign(saved(tmp_path, pooled), {})
    layers = random_layers(6, 8, 3)
    with pytest.raises(CheckpointError, match="takes 6 channels and gives 3"):
        load_foreign(saved(tmp_path, numbered(layers, "model.")), {})
