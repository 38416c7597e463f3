"""The self-test of denoisers on networks that its thresholds were not found on.

Architectures of other libraries, trained here for seconds on pictures that no prior of ours has
seen: opaque discs, and gratings. Each passes in right wrappers, and is caught in each wrong one.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from wrappers import ABAR, RIGHT, WRONG, wrapper

from invscore.priors import DenoiserPrior, Prior, check_denoiser, denoiser_check, load_prior

Draw = Callable[[int], Tensor]

SIDE, STEPS = 16, 150


def discs(count: int, generator: torch.Generator) -> Tensor:
    """Opaque discs, the later before the earlier: a dead-leaves picture of ten leaves."""

    def uniform(*shape: int) -> Tensor:
        return torch.rand(shape, generator=generator)

    x = uniform(count, 1, 1, 1).expand(-1, 1, SIDE, SIDE)
    place = torch.arange(SIDE)
    for _ in range(10):
        row, column = SIDE * uniform(2, count, 1, 1, 1)
        inside = (place[:, None] - row) ** 2 + (place - column) ** 2 < 49 * uniform(count, 1, 1, 1)
        x = torch.where(inside, uniform(count, 1, 1, 1), x)
    return x


def gratings(count: int, generator: torch.Generator) -> Tensor:
    """Black and white stripes of any direction and width."""
    angle, phase, width = torch.rand(3, count, 1, 1, generator=generator)
    place = torch.arange(SIDE) / (1 + 2 * width)
    turn = 6.28 * angle
    wave = (turn.cos() * place.mT + turn.sin() * place + 6.28 * phase).sin()
    return (0.5 + 0.4 * (4 * wave).tanh())[:, None]


def trained(net: nn.Module, loss: Callable[[Tensor], Tensor], draw: Draw) -> None:
    optimiser = torch.optim.AdamW(net.parameters(), lr=3e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 6e-3, total_steps=STEPS)
    for _ in range(STEPS):
        optimiser.zero_grad()
        loss(draw(16)).backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()
        schedule.step()
    net.eval().requires_grad_(False)


def of_diffusers(draw: Draw, folder: Path) -> Prior:
    """A pipeline that diffusers writes, and we open."""
    diffusers = pytest.importorskip("diffusers")
    net = diffusers.UNet2DModel(
        sample_size=SIDE,
        in_channels=1,
        out_channels=1,
        layers_per_block=1,
        block_out_channels=(16, 32),
        down_block_types=("DownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "UpBlock2D"),
        norm_num_groups=8,
        add_attention=False,
    )
    scheduler = diffusers.DDPMScheduler(prediction_type="v_prediction")

    def loss(x: Tensor) -> Tensor:
        clean, noise = 2 * x - 1, torch.randn_like(x)
        times = torch.randint(1000, (len(x),))
        target = scheduler.get_velocity(clean, noise, times)
        found: Tensor = net(scheduler.add_noise(clean, noise, times), times).sample - target
        return found.square().mean()

    trained(net, loss, draw)
    diffusers.DDPMPipeline(net, scheduler).save_pretrained(folder)
    assert torch.allclose(scheduler.alphas_cumprod.double(), ABAR, rtol=1e-4)
    return load_prior(folder, check=False)


def of_azula(draw: Draw, folder: Path) -> Prior:  # noqa: ARG001
    """A UNet of azula's, with the coefficients of EDM, through ``DenoiserPrior``."""
    unet = pytest.importorskip("azula.nn.unet")
    net = unet.UNet(1, 1, cond_channels=1, hid_channels=(16, 32), hid_blocks=(1, 1), mod_features=1)

    def denoise(z: Tensor, s: Tensor) -> Tensor:
        s = s.reshape(-1, 1, 1, 1)
        whole = (s**2 + 0.25).sqrt()
        level = (s.log() / 4).expand_as(z)
        seen: Tensor = net((z - 0.5) / whole, s.flatten(1).log() / 4, level)
        return 0.5 + 0.25 / whole**2 * (z - 0.5) + s * 0.5 / whole * seen

    def loss(x: Tensor) -> Tensor:
        sigma = (1.2 * torch.randn(len(x)) - 1.2).exp()
        s = sigma.reshape(-1, 1, 1, 1)
        weight = (s**2 + 0.25) / (0.5 * s) ** 2
        return (weight * (denoise(x + s * torch.randn_like(x), sigma) - x).square()).mean()

    trained(net, loss, draw)
    return DenoiserPrior(denoise, channels=1, sigma_min=0.005, sigma_max=20.0)


MADE = {
    "azula, gratings": (of_azula, gratings),
    "azula, discs": (of_azula, discs),
    "diffusers, discs": (of_diffusers, discs),
}


@pytest.mark.parametrize("name", MADE)
def test_fresh_networks(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make, kind = MADE[name]
    generator = torch.Generator().manual_seed(0)
    torch.manual_seed(0)
    prior = make(lambda count: kind(count, generator), tmp_path)
    images = kind(4, generator)
    report = check_denoiser(prior, images)
    assert report.ok, str(report)
    for right in RIGHT:
        report = check_denoiser(wrapper(right, prior), images)
        assert report.ok, f"{right}: {report}"
    monkeypatch.setattr(denoiser_check, "diagnose", lambda *_: None)  # which takes longest
    passed = [wrong for wrong in WRONG if check_denoiser(wrapper(wrong, prior), images).ok]
    assert not passed
