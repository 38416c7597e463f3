"""Networks of diffusers, the folders that it writes of them, and what they say of an image."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

diffusers = pytest.importorskip("diffusers")

PLAIN: dict[str, Any] = {
    "sample_size": 16,
    "in_channels": 1,
    "out_channels": 1,
    "block_out_channels": (32, 64),
    "layers_per_block": 1,
    "down_block_types": ("DownBlock2D", "AttnDownBlock2D"),
    "up_block_types": ("AttnUpBlock2D", "UpBlock2D"),
}
TIMES = (1, 20, 150, 500, 900)
SHAPE = (2, 1, 16, 16)


def make(**config: Any) -> Any:
    """A network of diffusers with weights that all matter."""
    torch.manual_seed(0)
    network = diffusers.UNet2DModel(**{**PLAIN, **config}).eval()
    with torch.no_grad():
        for weight in network.parameters():
            weight += 0.05 * torch.randn_like(weight)
    return network


def save(network: Any, scheduler: Any, folder: Path) -> Path:
    diffusers.DDPMPipeline(network, scheduler).save_pretrained(folder)
    return folder


def told(network: Any, x: Tensor, t: float, **more: Any) -> Tensor:
    """What the network of diffusers gives at one time."""
    with torch.no_grad():
        return network(x, torch.full((len(x),), float(t)), **more).sample


def close(prior: Any, x: Tensor, sigma: float, wanted: Tensor) -> None:
    """D(x, sigma) in [0, 1] is ``wanted`` in the network's range [-1, 1]."""
    with torch.no_grad():
        found = prior.denoise(x, sigma)
    assert (found - (wanted + 1) / 2).abs().max() < 1e-4 * max(1, float(wanted.abs().max()))


def noisy(sigma: float, shape: tuple[int, ...] = SHAPE) -> Tensor:
    torch.manual_seed(1)
    return torch.rand(shape) + sigma * torch.randn(shape)


def check_at_400(prior: Any, network: Any) -> None:
    """epsilon, on the linear schedule."""
    abar = float(diffusers.DDPMScheduler().alphas_cumprod[400].double())
    s = ((1 - abar) / abar) ** 0.5
    x = noisy(s / 2)
    z = 2 * x - 1
    close(prior, x, s / 2, z - s * told(network, abar**0.5 * z, 400))
