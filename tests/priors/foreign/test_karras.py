"""Bare networks of EDM, as InverseBench saves them and as deepinv builds them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from invscore.files.checkpoint import CheckpointError
from invscore.priors.foreign import load_foreign

deepinv = pytest.importorskip("deepinv.models", exc_type=ImportError)

SMALL: dict[str, Any] = {
    "img_resolution": 8, "model_channels": 128, "channel_mult": [1, 1], "num_blocks": 1,
    "attn_resolutions": [4], "pretrained": None, "augment_dim": 0,
}  # fmt: skip
LEVELS = torch.tensor([0.003, 0.05, 0.4, 2.0, 20.0])


def saved(folder: Path, content: Any) -> Path:
    path = folder / "net.pt"
    torch.save(content, path)
    return path


def random(network: nn.Module, seed: int = 1) -> nn.Module:
    generator = torch.Generator().manual_seed(seed)
    for weight in network.parameters():
        scale = weight[0].numel() ** -0.5 if weight.ndim > 1 else 0.1
        weight.data = scale * torch.randn(weight.shape, generator=generator)
    return network.eval()


def prefixed(network: nn.Module) -> dict[str, Tensor]:
    return {f"model.{name}": w for name, w in network.state_dict().items()}


def test_mri_of_inversebench_has_complex_images(tmp_path: Path) -> None:
    averaged, raw = (
        random(deepinv.ADMUNet(in_channels=2, out_channels=2, **SMALL), seed) for seed in (1, 2)
    )
    content = {"net": prefixed(raw), "ema": prefixed(averaged), "optimizer": {"state": {}}}
    path = saved(tmp_path, content)
    x = torch.randn(5, 1, 8, 8, dtype=torch.complex64, generator=torch.Generator().manual_seed(0))
    for network, facts, called in (
        (averaged, {}, "EMA"),
        (raw, {"ema": False}, "not averaged"),
    ):
        prior = load_foreign(path, {"preset": "mri", **facts})
        assert prior.facts["weights"] == called
        z, c = torch.cat([x.real, x.imag], 1), LEVELS[:, None, None, None]
        root = (c**2 + 0.25).sqrt()
        with torch.no_grad():
            F = network.forward_unet(z / root, LEVELS.log() / 4)
            D = 0.25 / root**2 * z + 0.5 * c / root * F
            given = prior.denoise(x, LEVELS)
        torch.testing.assert_close(given, torch.complex(D[:, :1], D[:, 1:]), atol=1e-4, rtol=0)


@pytest.mark.parametrize("kind", ["ncsn", "ddpm", "adm"])
def test_networks_of_deepinv(tmp_path: Path, kind: str) -> None:
    sizes = {"in_channels": 1, "out_channels": 1}
    if kind == "adm":
        network = deepinv.ADMUNet(**sizes, **SMALL)
    else:
        network = deepinv.NCSNpp(model_type=kind, **sizes, **SMALL)
    path = saved(tmp_path, random(network).state_dict())
    prior = load_foreign(path, {"preset": "deepinv"})
    x = torch.rand(5, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(prior.denoise(x, LEVELS), network(x, LEVELS), atol=1e-4, rtol=0)
    with pytest.raises(CheckpointError, match=r"`preset` must be given.*edm or vp or ve or deep"):
        load_foreign(path, {})


def test_images_of_black_holes_under_vp(tmp_path: Path) -> None:
    network = random(deepinv.NCSNpp(model_type="ddpm", in_channels=1, out_channels=1, **SMALL))
    path = saved(tmp_path, {"ema": prefixed(network)})
    prior = load_foreign(path, {"preset": "black-hole"})
    x = torch.rand(5, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    c = 2 * LEVELS[:, None, None, None]
    t = ((0.1**2 + 2 * 19.9 * (1 + c**2).log()).sqrt() - 0.1) / 19.9
    with torch.no_grad():
        F = network.forward_unet((2 * x - 1) / (1 + c**2).sqrt(), 999 * t.flatten())
        torch.testing.assert_close(
            prior.denoise(x, LEVELS) / (1 + c), (x - c / 2 * F) / (1 + c), atol=1e-4, rtol=0
        )


def test_what_does_not_fit_is_named(tmp_path: Path) -> None:
    network = deepinv.ADMUNet(in_channels=1, out_channels=1, **SMALL)
    weights = network.state_dict()
    for name in ("out_norm.weight", "enc.8x8_block0.conv0.weight", "map_layer1.bias"):
        rest = {n: w for n, w in weights.items() if n != name}
        with pytest.raises(CheckpointError, match=r"such as|residual blocks"):
            load_foreign(saved(tmp_path, rest), {"preset": "edm"})
    with pytest.raises(CheckpointError, match="complex images take two each"):
        load_foreign(saved(tmp_path, weights), {"preset": "mri"})
    with pytest.raises(CheckpointError, match="must be a SongUNet"):
        load_foreign(saved(tmp_path, weights), {"preset": "ve"})
