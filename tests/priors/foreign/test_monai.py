"""Weights of MONAI's DiffusionModelUNet, against MONAI."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from invscore.files.checkpoint import CheckpointError
from invscore.priors.foreign import load_foreign

pytest.importorskip("monai")
from monai.networks.nets import DiffusionModelUNet
from monai.networks.schedulers import DDPMScheduler

TIMES = (1, 20, 150, 500, 900)
FACTS: dict[str, Any] = {
    "head_channels": 8, "groups": 8, "predicts": "epsilon", "schedule": "linear", "range": (0, 1),
}  # fmt: skip
NETWORKS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "plain": ({}, {}),
    "residual": ({"resblock_updown": True, "include_fc": False}, {}),
    "fused": ({"use_combined_linear": True, "num_res_blocks": (1, 2)}, {}),
    "heads of their own": (
        {"attention_levels": (True, True), "num_head_channels": (4, 16)},
        {"head_channels": [4, 16]},
    ),
    "colour": ({"in_channels": 3, "out_channels": 3, "channels": (8, 16, 8),
                "attention_levels": (False, False, False), "num_res_blocks": 1}, {}),
}  # fmt: skip


def make(**options: Any) -> Any:
    torch.manual_seed(0)
    plain = {
        "spatial_dims": 2, "in_channels": 1, "out_channels": 1, "num_res_blocks": 1,
        "channels": (8, 16), "attention_levels": (False, True), "norm_num_groups": 8,
        "num_head_channels": 8,
    }  # fmt: skip
    network = DiffusionModelUNet(**{**plain, **options}).eval()
    with torch.no_grad():
        for weight in network.parameters():
            weight += 0.05 * torch.randn_like(weight)
    return network


def save(weights: Any, path: Path) -> Path:
    torch.save(weights, path)
    return path


def check(prior: Any, network: Any, scheduler: Any, predicts: str, **more: Any) -> None:
    """Images in [0, 1], as those of MONAI's tutorials."""
    for t in TIMES:
        abar = float(scheduler.alphas_cumprod[t].double())
        a, b = abar**0.5, (1 - abar) ** 0.5
        torch.manual_seed(1)
        z = torch.rand(2, prior.channels, 16, 16)
        z = z + b / a * torch.randn_like(z)
        with torch.no_grad():
            F = network(a * z, torch.tensor([t, t]), **more)
        wanted: Tensor = {"epsilon": z - b / a * F, "v": a * (a * z) - b * F, "x0": F}[predicts]
        error = (prior.denoise(z, b / a) - wanted).abs().max()
        assert error < 1e-4 * max(1, float(wanted.abs().max())), t


@pytest.mark.parametrize("kind", NETWORKS)
def test_networks(kind: str, tmp_path: Path) -> None:
    options, facts = NETWORKS[kind]
    network = make(**options)
    path = save(network.state_dict(), tmp_path / "model.pt")
    check(load_foreign(path, FACTS | facts), network, DDPMScheduler(), "epsilon")


@pytest.mark.parametrize("predicts", ["epsilon", "v", "x0"])
@pytest.mark.parametrize(
    ("schedule", "options", "facts"),
    [
        ("linear_beta", {"beta_end": 0.01}, {"schedule": "linear", "beta_end": 0.01}),
        (
            "scaled_linear_beta",
            {"beta_start": 0.0005, "beta_end": 0.0195},
            {"schedule": "scaled_linear", "beta_start": 0.0005, "beta_end": 0.0195},
        ),
        ("sigmoid_beta", {}, {"schedule": "sigmoid"}),
        ("cosine", {"num_train_timesteps": 920}, {"schedule": "cosine", "steps": 920}),
    ],
)
def test_schedulers(predicts: str, schedule: str, options: Any, facts: Any, tmp_path: Path) -> None:
    network = make()
    scheduler = DDPMScheduler(schedule=schedule, **options)
    path = save({"model": network.state_dict(), "epoch": 3}, tmp_path / "model.pt")
    check(load_foreign(path, FACTS | facts | {"predicts": predicts}), network, scheduler, predicts)


def test_classes(tmp_path: Path) -> None:
    network = make(num_class_embeds=3)
    path = save(network.state_dict(), tmp_path / "model.pt")
    with pytest.raises(CheckpointError, match="`class_label` must be given"):
        load_foreign(path, FACTS)
    prior = load_foreign(path, FACTS | {"class_label": 2})
    check(prior, network, DDPMScheduler(), "epsilon", class_labels=torch.tensor([2, 2]))


def test_names_of_monai_generative(tmp_path: Path) -> None:
    network = make()
    old = {}
    for name, weight in network.state_dict().items():
        name = name.replace("postconv", "conv").replace(".attn.out_proj.", ".proj_attn.")
        old[f"module.{name.replace('.attn.', '.')}"] = weight
    path = save(old, tmp_path / "model.pt")
    check(load_foreign(path, FACTS), network, DDPMScheduler(), "epsilon")


@pytest.mark.parametrize(
    ("missing", "said"),
    [
        ("head_channels", "`head_channels` must be given"),
        ("predicts", "`predicts` must be given, predicts=epsilon or v or x0"),
        ("schedule", "`schedule` must be given"),
        ("range", "`range` must be given"),
        ("groups", "`groups` must divide 8, got 32"),
    ],
)
def test_facts(missing: str, said: str, tmp_path: Path) -> None:
    path = save(make().state_dict(), tmp_path / "model.pt")
    with pytest.raises(CheckpointError, match=said):
        load_foreign(path, {name: fact for name, fact in FACTS.items() if name != missing})
    wrong = {
        "`head_channels` must divide 16, got 3": {"head_channels": 3},
        "`head_channels` must be one number or 2, got 3": {"head_channels": [8, 8, 8]},
        "`groups` must be a whole number from 1 to 100000, got 0": {"groups": 0},
        "`beta_end` must be a positive number, got -1": {"beta_end": -1},
    }
    for sentence, change in wrong.items():
        with pytest.raises(CheckpointError, match=sentence):
            load_foreign(path, FACTS | change)


def test_volumes_and_conditioned_networks_are_refused(tmp_path: Path) -> None:
    path = save(make(spatial_dims=3).state_dict(), tmp_path / "volume.pt")
    with pytest.raises(CheckpointError, match="the network is of volumes"):
        load_foreign(path, FACTS)
    network = make(with_conditioning=True, cross_attention_dim=4)
    path = save(network.state_dict(), tmp_path / "text.pt")
    with pytest.raises(CheckpointError, match="cross-attention"):
        load_foreign(path, FACTS)


def test_wrong_weights(tmp_path: Path) -> None:
    weights = make().state_dict()
    cases = {
        "1 are missing, such as 'conv_in.conv.bias'": {"conv_in.conv.bias": None},
        "1 are left over, such as 'more'": {"more": torch.ones(1)},
        "have another shape, such as 'out.0.bias'": {"out.0.bias": torch.ones(3)},
        "there is no 'time_embed.0.weight'": {"time_embed.0.weight": None},
    }
    for said, change in cases.items():
        changed = {n: w for n, w in (weights | change).items() if w is not None}
        with pytest.raises(CheckpointError, match=said):
            load_foreign(save(changed, tmp_path / "model.pt"), FACTS)
