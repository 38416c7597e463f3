"""Checkpoints of denoising-diffusion-pytorch, against that package."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from invscore.files.checkpoint import CheckpointError
from invscore.priors.foreign import load_foreign, schedules

package = pytest.importorskip("denoising_diffusion_pytorch")
from ema_pytorch import EMA  # noqa: E402

TIMES = (1, 20, 150, 500, 900)
OBJECTIVES = {"pred_noise": "epsilon", "pred_v": "v", "pred_x0": "x0"}


def make(seed: int = 0, *, unet: dict[str, Any] | None = None, **options: Any) -> Any:
    torch.manual_seed(seed)
    network = package.Unet(**{"dim": 8, "dim_mults": (1, 2), "channels": 1, **(unet or {})})
    with torch.no_grad():
        for weight in network.parameters():
            weight += 0.05 * torch.randn_like(weight)
    return package.GaussianDiffusion(network, image_size=16, **options).eval()


def save(diffusion: Any, path: Path) -> Path:
    """As its trainer writes it, the averaged weights unlike the plain ones."""
    ema = EMA(diffusion, beta=0.9)
    plain = {name: weight.clone() for name, weight in diffusion.state_dict().items()}
    plain["model.final_conv.bias"] += 1
    content = {"step": 7, "model": plain, "opt": {}, "ema": ema.state_dict(), "scaler": None}
    torch.save({**content, "version": "2.3.4"}, path)
    return path


def noisy(diffusion: Any, t: int) -> tuple[Tensor, Tensor, Tensor, float]:
    """A noisy image in [0, 1], the same scaled for the network, the times and sigma in [0, 1]."""
    abar = float(diffusion.alphas_cumprod[t].double())
    s = math.sqrt((1 - abar) / abar)
    torch.manual_seed(1)
    x = torch.rand(2, diffusion.channels, 16, 16)
    x = x + s / 2 * torch.randn_like(x)
    return x, math.sqrt(abar) * (2 * x - 1), torch.tensor([t, t]), s / 2


def check(prior: Any, diffusion: Any, times: tuple[int, ...] = TIMES, shift: float = 0) -> None:
    """D is the package's own estimate of the image, unclipped."""
    for t in times:
        x, scaled, steps, sigma = noisy(diffusion, t)
        with torch.no_grad():
            wanted = diffusion.model_predictions(scaled, steps).pred_x_start + shift
        error = (prior.denoise(x, sigma) - (wanted + 1) / 2).abs().max()
        assert error < 1e-4 * max(1, float(wanted.abs().max())), t


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("cut", [False, True])
@pytest.mark.parametrize("schedule", ["linear", "cosine", "sigmoid"])
def test_objectives(objective: str, cut: bool, schedule: str, tmp_path: Path) -> None:
    diffusion = make(objective=objective, min_snr_loss_weight=cut, beta_schedule=schedule)
    prior = load_foreign(save(diffusion, tmp_path / "model-1.pt"), {})
    assert prior.facts["predicts"] == OBJECTIVES[objective]
    check(prior, diffusion, TIMES if schedule != "sigmoid" else (50, 300, 500, 700, 900))


@pytest.mark.parametrize(
    "unet",
    [
        {"channels": 3, "dim_mults": (1, 2, 4), "full_attn": (False, True, True)},
        {"init_dim": 12, "attn_heads": (2, 3), "attn_dim_head": (8, 5)},
        {"self_condition": True},
    ],
)
def test_networks(unet: dict[str, Any], tmp_path: Path) -> None:
    diffusion = make(unet=unet)
    check(load_foreign(save(diffusion, tmp_path / "model.pt"), {}), diffusion, (300, 500, 800))


def test_averaged_or_not(tmp_path: Path) -> None:
    diffusion = make(objective="pred_x0", beta_schedule="linear")
    path = save(diffusion, tmp_path / "model.pt")
    prior = load_foreign(path, {})
    assert prior.facts["weights"] == "EMA"
    assert prior.facts["steps of training"] == 7
    plain = load_foreign(path, {"ema": False})
    assert plain.facts["weights"] == "not averaged"
    check(plain, diffusion, shift=1)


def test_the_diffusion_alone(tmp_path: Path) -> None:
    diffusion = make(beta_schedule="linear")
    torch.save(diffusion.state_dict(), tmp_path / "diffusion.pt")
    check(load_foreign(tmp_path / "diffusion.pt", {}), diffusion)


@pytest.mark.parametrize("schedule", ["linear", "cosine", "sigmoid"])
def test_the_network_alone(schedule: str, tmp_path: Path) -> None:
    diffusion = make(beta_schedule=schedule, objective="pred_noise")
    path = tmp_path / "unet.pt"
    torch.save(diffusion.model.state_dict(), path)
    with pytest.raises(CheckpointError, match="`schedule` must be given, schedule=linear or cos"):
        load_foreign(path, {})
    with pytest.raises(CheckpointError, match="`predicts` must be given, predicts=epsilon or v"):
        load_foreign(path, {"schedule": schedule})
    check(load_foreign(path, {"schedule": schedule, "predicts": "epsilon"}), diffusion, (300, 700))


def test_sigmoid_schedule() -> None:
    wanted = make(beta_schedule="sigmoid").alphas_cumprod.double()
    assert torch.allclose(schedules.logistic(), wanted, atol=1e-6)


def test_range_and_sizes(tmp_path: Path) -> None:
    """``auto_normalize=False`` is said as the range; sides that cannot be halved are extended."""
    diffusion = make(beta_schedule="linear", auto_normalize=False)
    prior = load_foreign(save(diffusion, tmp_path / "model.pt"), {"range": (0, 1)})
    x, _, steps, sigma = noisy(diffusion, 300)
    abar = float(diffusion.alphas_cumprod[300])
    with torch.no_grad():
        wanted = diffusion.model_predictions(abar**0.5 * x, steps).pred_x_start
    assert (prior.denoise(x, 2 * sigma) - wanted).abs().max() < 1e-4
    assert prior.denoise(torch.rand(1, 1, 9, 14), 0.1).shape == (1, 1, 9, 14)


def test_groups_before_version_2_1(tmp_path: Path) -> None:
    """Norms of groups in the place of norms of pixels: the numbers are those of torch's own."""
    diffusion = make(beta_schedule="linear")
    for block in diffusion.modules():
        if type(block).__name__ == "Block":
            width = block.norm.g.numel()
            block.norm = torch.nn.GroupNorm(4, width)
            torch.nn.init.normal_(block.norm.weight)
    path = save(diffusion, tmp_path / "model.pt")
    check(load_foreign(path, {"groups": 4}), diffusion)


def test_wrong_weights(tmp_path: Path) -> None:
    weights = make().state_dict()
    first = "model.downs.0.0.block1.proj.bias"
    cases = {
        "1 are missing, such as 'downs.0.0.block1.proj.bias'": {first: None},
        "1 are left over, such as 'more'": {"model.more": torch.ones(1)},
        "have another shape, such as 'downs.0.0.block1.proj.bias'": {first: torch.ones(3)},
        "have not the shapes": {"model.time_mlp.1.weight": torch.ones(3)},
        "there is no 'final_conv.weight'": {"model.final_conv.weight": None},
        "before version 1.9": {"model.mid_attn.mem_kv": None},
    }
    for said, change in cases.items():
        changed = {n: w for n, w in (weights | change).items() if w is not None}
        torch.save(changed, tmp_path / "model.pt")
        with pytest.raises(CheckpointError, match=said):
            load_foreign(tmp_path / "model.pt", {})
