"""Folders that diffusers writes: files of all its years, and those that are refused."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers_folders import check_at_400, diffusers, make, save
from safetensors.torch import load_file, save_file
from torch import Tensor

from invscore.files.checkpoint import CheckpointError
from invscore.priors.foreign import diffusers_unet, load_foreign
from invscore.priors.foreign.translate import translate


def rewrite(folder: Path, change: Any) -> None:
    """The weights of the network changed by ``change``."""
    path = folder / "unet" / "diffusion_pytorch_model.safetensors"
    weights = load_file(path)
    save_file({n: w.contiguous() for n, w in change(weights).items()}, path)


def reconfigure(folder: Path, component: str, **entries: Any) -> None:
    path = folder / component
    config = json.loads(path.read_text())
    path.write_text(json.dumps(config | entries))


def test_half_precision_and_old_names(tmp_path: Path) -> None:
    """Attention had other names before 2023; float16 weights are computed with in float32."""
    network, scheduler = make(), diffusers.DDPMScheduler()
    network.half().float()
    folder = save(network, scheduler, tmp_path)
    old = {".to_q.": ".query.", ".to_k.": ".key.", ".to_v.": ".value.", ".to_out.0.": ".proj_attn."}

    def before(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
        renamed = {}
        for name, weight in weights.items():
            for new, was in old.items():
                name = name.replace(new, was)
            renamed[name] = weight.half()
        return renamed

    rewrite(folder, before)
    prior = load_foreign(folder, {})
    check_at_400(prior, network)


def test_weights_of_torch(tmp_path: Path) -> None:
    """Before 2023 weights were files of torch, all in one folder; they are read, and not run."""
    network, scheduler = make(), diffusers.DDPMScheduler()
    network.save_config(tmp_path)
    scheduler.save_config(tmp_path)
    path = tmp_path / "diffusion_pytorch_model.bin"
    torch.save(network.state_dict(), path)
    check_at_400(load_foreign(tmp_path, {}), network)
    torch.save({"conv_in.weight": print}, path)
    with pytest.raises(CheckpointError, match="nothing in a file is ever run"):
        load_foreign(tmp_path, {})


def test_averaged_or_not(tmp_path: Path) -> None:
    """As diffusers' training script leaves a checkpoint: ``unet`` and ``unet_ema``."""
    averaged, plain = make(), make()
    with torch.no_grad():
        plain.conv_out.bias += 1
    diffusers.DDPMScheduler().save_pretrained(tmp_path / "scheduler")
    plain.save_pretrained(tmp_path / "unet")
    with pytest.raises(CheckpointError, match="`ema` must be one of False, got True"):
        load_foreign(tmp_path, {"ema": True})
    averaged.save_pretrained(tmp_path / "unet_ema")
    for facts, network, which in (
        ({}, averaged, "EMA"),
        ({"ema": False}, plain, "not averaged"),
    ):
        prior = load_foreign(tmp_path, facts)
        assert prior.facts["weights"] == which
        check_at_400(prior, network)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda w: {n: t for n, t in w.items() if n != "conv_in.bias"}, "1 are missing, such as"),
        (lambda w: {**w, "conv_more.bias": torch.ones(1)}, "left over, such as 'conv_more.bias'"),
        (lambda w: {**w, "conv_in.bias": torch.ones(7)}, r"'conv_in.bias', \(7,\) for \(32,\)"),
        (lambda w: {**w, "conv_in.bias": w["conv_in.bias"] / 0}, "not finite"),
    ],
)
def test_wrong_weights(change: Any, said: str, tmp_path: Path) -> None:
    folder = save(make(), diffusers.DDPMScheduler(), tmp_path)
    rewrite(folder, change)
    with pytest.raises(CheckpointError, match=said):
        load_foreign(folder, {})


@pytest.mark.parametrize(
    ("component", "entries", "said"),
    [
        ("unet/config.json", {"down_block_types": ["DownBlock2D", "Odd"]}, "a block 'Odd'"),
        ("unet/config.json", {"act_fn": "tanh"}, "act_fn 'tanh'"),
        ("unet/config.json", {"class_embed_type": "identity"}, "class_embed_type 'identity'"),
        ("unet/config.json", {"attention_head_dim": 7}, "7, which does not divide 64"),
        ("unet/config.json", {"layers_per_block": 10**9}, "1 to 10000 as layers_per_block"),
        ("unet/config.json", {"block_out_channels": [32]}, "of one length"),
        ("unet/config.json", {"block_out_channels": None}, "of one length"),
        ("unet/config.json", {"block_out_channels": [32, "64"]}, "as block_out_channels, got '64'"),
        ("unet/config.json", {"in_channels": 6}, "conditioned on another image"),
        ("scheduler/scheduler_config.json", {"prediction_type": "w"}, "prediction_type"),
        ("scheduler/scheduler_config.json", {"beta_schedule": "w"}, "beta_schedule 'w'"),
        ("scheduler/scheduler_config.json", {"_class_name": "LCMScheduler"}, "distilled model"),
        (
            "scheduler/scheduler_config.json",
            {"_class_name": "FlowMatchLCMScheduler"},
            "distilled model",
        ),
    ],
)
def test_what_is_not_known(
    component: str, entries: dict[str, Any], said: str, tmp_path: Path
) -> None:
    folder = save(make(), diffusers.DDPMScheduler(), tmp_path)
    reconfigure(folder, component, **entries)
    with pytest.raises(CheckpointError, match=said):
        load_foreign(folder, {})


def test_without_a_scheduler(tmp_path: Path) -> None:
    network = make()
    network.save_pretrained(tmp_path)
    with pytest.raises(CheckpointError, match="`predicts` must be given"):
        load_foreign(tmp_path, {})
    prior = load_foreign(tmp_path, {"predicts": "epsilon", "schedule": "linear"})
    check_at_400(prior, network)


def test_latent_pipelines_are_refused(tmp_path: Path) -> None:
    save(make(), diffusers.DDPMScheduler(), tmp_path)
    (tmp_path / "vae").mkdir()
    (tmp_path / "vae" / "config.json").write_text('{"_class_name": "AutoencoderKL"}')
    with pytest.raises(CheckpointError, match="latent"):
        load_foreign(tmp_path, {})


def test_conditioned_networks_are_refused(tmp_path: Path) -> None:
    (tmp_path / "unet").mkdir()
    (tmp_path / "unet" / "config.json").write_text('{"_class_name": "UNet2DConditionModel"}')
    with pytest.raises(CheckpointError, match="without a UNet2DModel"):
        load_foreign(tmp_path, {})


REAL: dict[str, dict[str, Any]] = {  # as published; what is not said has its default
    "google/ddpm-cifar10-32": {
        "sample_size": 32, "attention_head_dim": None, "block_out_channels": (128, 256, 256, 256),
        "down_block_types": ("DownBlock2D", "AttnDownBlock2D", "DownBlock2D", "DownBlock2D"),
        "up_block_types": ("UpBlock2D", "UpBlock2D", "AttnUpBlock2D", "UpBlock2D"),
        "downsample_padding": 0, "flip_sin_to_cos": False, "freq_shift": 1, "norm_eps": 1e-6,
    },
    "google/ncsnpp-celebahq-256": {
        "sample_size": 256, "attention_head_dim": None, "freq_shift": 0, "norm_eps": 1e-6,
        "block_out_channels": (128, 128, 256, 256, 256, 256, 256), "norm_num_groups": None,
        "down_block_types": ("SkipDownBlock2D",) * 4 + ("AttnSkipDownBlock2D",)
        + ("SkipDownBlock2D",) * 2,
        "up_block_types": ("SkipUpBlock2D",) * 2 + ("AttnSkipUpBlock2D",) + ("SkipUpBlock2D",) * 4,
        "mid_block_scale_factor": 1.41421356237, "time_embedding_type": "fourier",
    },
    "openai/diffusers-cd_imagenet64, the network": {
        "sample_size": 64, "attention_head_dim": 64, "block_out_channels": (192, 384, 576, 768),
        "down_block_types": ("ResnetDownsampleBlock2D",) + ("AttnDownBlock2D",) * 3,
        "up_block_types": ("AttnUpBlock2D",) * 3 + ("ResnetUpsampleBlock2D",),
        "layers_per_block": 3, "num_class_embeds": 1000, "resnet_time_scale_shift": "scale_shift",
        "downsample_type": "resnet", "upsample_type": "resnet", "attn_norm_num_groups": 32,
    },
}  # fmt: skip


@pytest.mark.parametrize("name", REAL)
def test_published_networks(name: str) -> None:
    """All weights of networks that people have find their place; no numbers are made for it."""
    with torch.device("meta"):
        weights = diffusers.UNet2DModel(**REAL[name]).state_dict()
    network = diffusers_unet.network(REAL[name])
    assert translate(network, weights, diffusers_unet.names(weights))
