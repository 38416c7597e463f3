"""Checkpoints of DDIM and of PnP-Flow: their layouts, with the network of diffusers as judge."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from invscore.files.checkpoint import CheckpointError
from invscore.priors.foreign import load_foreign, schedules

diffusers = pytest.importorskip("diffusers")

LEVELS = (0.02, 0.1, 0.4, 2.0, 20.0)  # on [-1, 1]
BLOCK = {
    "time_emb_proj": "temb_proj",
    "to_q": "q",
    "to_k": "k",
    "to_v": "v",
    "to_out.0": "proj_out",
    "group_norm": "norm",
}


def make(**options: Any) -> Any:
    """A network that both codes can have: one head, three resolutions, attention in the middle."""
    torch.manual_seed(0)
    network = diffusers.UNet2DModel(
        in_channels=1,
        out_channels=1,
        block_out_channels=(32, 64, 32),
        layers_per_block=2,
        down_block_types=("DownBlock2D", "AttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "AttnUpBlock2D", "UpBlock2D"),
        attention_head_dim=None,
        flip_sin_to_cos=False,
        freq_shift=1,
        norm_eps=1e-6,
        **options,
    ).eval()
    with torch.no_grad():
        for weight in network.parameters():
            weight += 0.05 * torch.randn_like(weight)
    return network


def as_ddim(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Under the names of models/diffusion.py of DDIM, where up.0 is the finest level."""
    named = {}
    for name, weight in weights.items():
        for theirs, ours in {**BLOCK, "conv_shortcut": "nin_shortcut"}.items():
            name = name.replace(f".{theirs}.", f".{ours}.")
        name = name.replace("time_embedding.linear_1", "temb.dense.0")
        name = name.replace("time_embedding.linear_2", "temb.dense.1")
        name = name.replace("conv_norm_out", "norm_out")
        name = re.sub(r"mid_block\.resnets\.0", "mid.block_1", name)
        name = re.sub(r"mid_block\.resnets\.1", "mid.block_2", name)
        name = name.replace("mid_block.attentions.0", "mid.attn_1")
        name = re.sub(r"^up_blocks\.(\d)", lambda m: f"up.{2 - int(m[1])}", name)
        name = re.sub(r"^down_blocks\.", "down.", name)
        name = name.replace(".resnets.", ".block.").replace(".attentions.", ".attn.")
        name = name.replace(".upsamplers.0.", ".upsample.")
        name = name.replace(".downsamplers.0.", ".downsample.")
        matrix = weight.ndim == 2 and ".attn" in name
        named[name] = weight[:, :, None, None] if matrix else weight
    return named


def as_pnp_flow(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Under the names of pnpflow/models.py, where modules are in the order in which they run."""
    named = {}
    for name, weight in weights.items():
        for theirs, ours in {**BLOCK, "conv_shortcut": "shortcut"}.items():
            name = name.replace(f".{theirs}.", f".{'attn_' * (len(ours) == 1)}{ours}.")
        name = name.replace("time_embedding.linear_1", "temb_net.main.0")
        name = name.replace("time_embedding.linear_2", "temb_net.main.2")
        name = re.sub(r"^conv_in\.", "begin_conv.", name)
        name = re.sub(r"^conv_norm_out\.", "end_conv.0.", name)
        name = re.sub(r"^conv_out\.", "end_conv.2.", name)
        name = name.replace("mid_block.resnets.0", "mid_modules.0")
        name = name.replace("mid_block.resnets.1", "mid_modules.2")
        name = name.replace("mid_block.attentions.0", "mid_modules.1")
        if found := re.match(r"(down|up)_blocks\.(\d)\.(\w+)\.(\d)\.(.*)", name):
            side, place, part, index, rest = found.groups()
            level = int(place) if side == "down" else 2 - int(place)
            module = {
                "resnets": f"{level}a_{index}a_block",
                "attentions": f"{level}a_{index}b_attn",
                "downsamplers": f"{level}b_downsample",
                "upsamplers": f"{level}b_upsample",
            }[part]
            rest = rest.removeprefix("conv.") if part == "downsamplers" else rest
            rest = rest.replace("conv.", "up_conv.") if part == "upsamplers" else rest
            name = f"{side}_modules.{place}.{module}.{rest}"
        matrix = weight.ndim == 2 and ("attn" in name or name.startswith("mid_modules.1"))
        named[name] = weight[:, :, None, None] if matrix else weight
    return named


def save(content: Any, path: Path) -> Path:
    torch.save(content, path)
    return path


def noisy(s: float) -> tuple[Tensor, Tensor]:
    torch.manual_seed(1)
    x = torch.rand(2, 1, 16, 16) + s / 2 * torch.randn(2, 1, 16, 16)
    return x, 2 * x - 1


def told(network: Any, x: Tensor, t: float) -> Tensor:
    with torch.no_grad():
        return network(x, torch.full((len(x),), t)).sample


def close(prior: Any, x: Tensor, s: float, wanted: Tensor) -> None:
    found = prior.denoise(x, s / 2)
    assert (found - (wanted + 1) / 2).abs().max() < 1e-4 * max(1, float(wanted.abs().max()))


def check_epsilon(prior: Any, network: Any) -> None:
    """D = z - s epsilon on the linear schedule, whose times are between whole ones."""
    abar = schedules.linear()
    logs = ((1 - abar) / abar).log() / 2
    for s in LEVELS:
        above = int((logs < math.log(s)).sum())
        share = (math.log(s) - float(logs[above - 1])) / float(logs[above] - logs[above - 1])
        x, z = noisy(s)
        epsilon = told(network, z / math.sqrt(1 + s**2), above - 1 + share)
        close(prior, x, s, z - s * epsilon)


def test_ddim_training(tmp_path: Path) -> None:
    """[model, optimiser, epoch, step, average]: the average is taken, or what ``ema`` says."""
    averaged, plain = make(downsample_padding=0), make(downsample_padding=0)
    with torch.no_grad():
        plain.conv_out.bias += 1
    parallel = {f"module.{n}": w for n, w in as_ddim(plain.state_dict()).items()}
    content = [parallel, {"state": {}, "param_groups": []}, 3, 1000]
    path = save([*content, as_ddim(averaged.state_dict())], tmp_path / "ckpt.pth")
    prior = load_foreign(path, {})
    assert prior.facts["weights"] == "EMA"
    check_epsilon(prior, averaged)
    check_epsilon(load_foreign(path, {"ema": False}), plain)
    prior = load_foreign(save(content, tmp_path / "plain.pth"), {})
    assert prior.facts["weights"] == "not averaged"
    check_epsilon(prior, plain)


def test_ddim_weights_alone(tmp_path: Path) -> None:
    network = make(downsample_padding=0)
    path = save(as_ddim(network.state_dict()), tmp_path / "celeba_hq.ckpt")
    prior = load_foreign(path, {})
    check_epsilon(prior, network)
    assert prior.denoise(torch.rand(1, 1, 9, 14), 0.1).shape == (1, 1, 9, 14)


def test_pnp_flow(tmp_path: Path) -> None:
    """t = 1 / (1 + s) and D = x_t + (1 - t) F(x_t, t) at x_t = t z."""
    network = make()
    path = save(as_pnp_flow(network.state_dict()), tmp_path / "model_final.pt")
    with pytest.raises(CheckpointError, match="`predicts` must be given, predicts=flow"):
        load_foreign(path, {})
    prior = load_foreign(path, {"predicts": "flow"})
    for s in LEVELS:
        x, z = noisy(s)
        t = 1 / (1 + s)
        close(prior, x, s, t * z + (1 - t) * told(network, t * z, t))


@pytest.mark.parametrize(
    ("layout", "facts", "stem"),
    [(as_ddim, {}, "conv_in"), (as_pnp_flow, {"predicts": "flow"}, "begin_conv")],
)
def test_wrong_weights(layout: Any, facts: dict[str, Any], stem: str, tmp_path: Path) -> None:
    weights = layout(make().state_dict())
    cases = {
        f"1 are missing, such as '{stem}.bias'": {f"{stem}.bias": None},
        "1 are left over, such as 'more'": {"more": torch.ones(1)},
        f"have another shape, such as '{stem}.bias'": {f"{stem}.bias": torch.ones(3)},
        "have not the shapes": {f"{stem}.weight": torch.ones(3)},
        f"there is no '{stem}.weight'": {f"{stem}.weight": None},
    }
    for said, change in cases.items():
        changed = {n: w for n, w in (weights | change).items() if w is not None}
        with pytest.raises(CheckpointError, match=said):
            load_foreign(save(changed, tmp_path / "model.pt"), facts)
