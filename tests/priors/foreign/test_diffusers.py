"""Folders that diffusers writes, against diffusers' own networks and schedulers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from invscore.checkpoint import CheckpointError
from invscore.priors.foreign import diffusers_unet, load_foreign
from invscore.priors.foreign.translate import translate

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
NETWORKS: dict[str, dict[str, Any]] = {
    "plain": {},
    "colour": {"in_channels": 3, "out_channels": 3, "block_out_channels": (64, 32)},
    "residual": {
        "resnet_time_scale_shift": "scale_shift",
        "downsample_type": "resnet",
        "upsample_type": "resnet",
        "attention_head_dim": 16,
    },
    "as the first DDPM": {
        "down_block_types": ("ResnetDownsampleBlock2D", "AttnDownBlock2D"),
        "up_block_types": ("AttnUpBlock2D", "ResnetUpsampleBlock2D"),
        "downsample_padding": 0,
        "attention_head_dim": None,
        "act_fn": "mish",
        "mid_block_scale_factor": 1.4,
        "flip_sin_to_cos": False,
        "freq_shift": 1,
        "norm_num_groups": 16,
        "attn_norm_num_groups": 8,
        "norm_eps": 1e-3,
    },
    "attention unlike on both sides": {
        "block_out_channels": (32, 32, 64),
        "layers_per_block": 2,
        "down_block_types": ("AttnDownBlock2D", "DownBlock2D", "DownBlock2D"),
        "up_block_types": ("UpBlock2D", "AttnUpBlock2D", "AttnUpBlock2D"),
        "add_attention": False,
        "time_embedding_dim": 40,
    },
    "no middle": {"mid_block_type": None, "center_input_sample": True},
    "learned variance": {"out_channels": 2},
}
SKIP = {
    "in_channels": 3,
    "out_channels": 3,
    "time_embedding_type": "fourier",
    "block_out_channels": (32, 64, 64),
    "layers_per_block": 2,
    "down_block_types": ("SkipDownBlock2D", "AttnSkipDownBlock2D", "SkipDownBlock2D"),
    "up_block_types": ("SkipUpBlock2D", "AttnSkipUpBlock2D", "SkipUpBlock2D"),
    "norm_num_groups": None,
    "attention_head_dim": None,
    "norm_eps": 1e-6,
    "mid_block_scale_factor": 2**0.5,
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


@pytest.mark.parametrize("kind", NETWORKS)
def test_networks(kind: str, tmp_path: Path) -> None:
    network = make(**NETWORKS[kind])
    scheduler = diffusers.DDPMScheduler()
    prior = load_foreign(save(network, scheduler, tmp_path), {})
    channels = network.config.in_channels
    for t in TIMES:
        abar = scheduler.alphas_cumprod[t].double()
        s = float(((1 - abar) / abar).sqrt())  # on [-1, 1]
        x = noisy(s / 2, (2, channels, 16, 16))
        z = 2 * x - 1
        epsilon = told(network, float(abar**0.5) * z, t)[:, :channels]
        close(prior, x, s / 2, z - s * epsilon)


SCHEDULERS: dict[str, Any] = {
    "DDPM cosine v": ("DDPMScheduler", {"beta_schedule": "squaredcos_cap_v2"}),
    "DDIM scaled": ("DDIMScheduler", {"beta_schedule": "scaled_linear", "beta_end": 0.012}),
    "DDIM to zero": ("DDIMScheduler", {"rescale_betas_zero_snr": True}),
    "PNDM": ("PNDMScheduler", {"num_train_timesteps": 950, "beta_start": 1e-3}),
    "DPM-Solver": ("DPMSolverMultistepScheduler", {}),
    "DPM-Solver of one step": ("DPMSolverSinglestepScheduler", {}),
    "Euler": ("EulerDiscreteScheduler", {}),
    "Heun": ("HeunDiscreteScheduler", {}),
    "UniPC": ("UniPCMultistepScheduler", {}),
    "sigmoid": ("DDPMScheduler", {"beta_schedule": "sigmoid"}),
    "by hand": ("DDPMScheduler", {"trained_betas": [0.001 + 1e-5 * i for i in range(1000)]}),
}


@pytest.mark.parametrize("kind", SCHEDULERS)
@pytest.mark.parametrize("predicts", ["epsilon", "v_prediction", "sample"])
def test_schedulers(kind: str, predicts: str, tmp_path: Path) -> None:
    name, options = SCHEDULERS[kind]
    scheduler = getattr(diffusers, name)(prediction_type=predicts, **options)
    network = make()
    prior = load_foreign(save(network, scheduler, tmp_path), {})
    for t in TIMES:
        abar = scheduler.alphas_cumprod[t].double()
        s = float(((1 - abar) / abar).sqrt())
        x = noisy(s / 2)
        z = 2 * x - 1
        scaled = float(abar**0.5) * z  # of unit variance, more or less
        F = told(network, scaled, t)
        a, b = float(abar**0.5), float((1 - abar) ** 0.5)
        wanted = {
            "epsilon": (scaled - b * F) / a,
            "v_prediction": a * scaled - b * F,
            "sample": F,
        }[predicts]
        close(prior, x, s / 2, wanted)
    assert prior.facts["predicts"] == {"v_prediction": "v", "sample": "x0"}.get(predicts, predicts)


def test_time_between_two_entries(tmp_path: Path) -> None:
    network, scheduler = make(), diffusers.DDPMScheduler()
    prior = load_foreign(save(network, scheduler, tmp_path), {})
    abar = scheduler.alphas_cumprod.double()
    logs = ((1 - abar) / abar).log() / 2
    s = float((0.75 * logs[300] + 0.25 * logs[301]).exp())
    x = noisy(s / 2)
    z = 2 * x - 1
    close(prior, x, s / 2, z - s * told(network, z / (1 + s**2) ** 0.5, 300.25))


@pytest.mark.parametrize("name", ["EDMEulerScheduler", "EDMDPMSolverMultistepScheduler"])
def test_edm(name: str, tmp_path: Path) -> None:
    network = make()
    scheduler = getattr(diffusers, name)(sigma_data=0.6, sigma_min=0.004, sigma_max=60.0)
    prior = load_foreign(save(network, scheduler, tmp_path), {})
    assert (prior.sigma_min, prior.sigma_max) == (0.002, 30.0)
    for s in (0.01, 0.1, 0.7, 4.0, 50.0):
        x = noisy(s / 2)
        z = 2 * x - 1
        level = torch.tensor(s)
        F = told(network, scheduler.precondition_inputs(z, level), 0.25 * float(level.log()))
        close(prior, x, s / 2, scheduler.precondition_outputs(z, F, level))


def test_flow(tmp_path: Path) -> None:
    network = make()
    scheduler = diffusers.FlowMatchEulerDiscreteScheduler()
    prior = load_foreign(save(network, scheduler, tmp_path), {})
    for r in (0.01, 0.1, 0.4, 0.8, 0.98):  # the share of noise: x_r = (1 - r) z0 + r n
        s = r / (1 - r)
        x = noisy(s / 2)
        blend = (1 - r) * (2 * x - 1)
        close(prior, x, s / 2, blend - r * told(network, blend, 1000 * r))


def test_ncsnpp(tmp_path: Path) -> None:
    network = make(**SKIP)
    scheduler = diffusers.ScoreSdeVeScheduler(sigma_max=40.0)
    prior = load_foreign(save(network, scheduler, tmp_path), {})
    assert (prior.sigma_min, prior.sigma_max) == (0.01, 40.0)
    for sigma in (0.02, 0.1, 0.5, 2.0, 30.0):
        x = noisy(sigma, (2, 3, 16, 16))  # in [0, 1], as the images of this kind are
        D = x + sigma**2 * told(network, x, sigma)
        close(prior, x, sigma, 2 * D - 1)


@pytest.mark.parametrize("kind", [None, "timestep"])
def test_classes(kind: str | None, tmp_path: Path) -> None:
    options = {"num_class_embeds": 4} if kind is None else {"class_embed_type": kind}
    network, scheduler = make(**options), diffusers.DDPMScheduler()
    folder = save(network, scheduler, tmp_path)
    with pytest.raises(CheckpointError, match="`class_label` must be given"):
        load_foreign(folder, {})
    prior = load_foreign(folder, {"class_label": 3})
    labels = torch.tensor([3, 3])
    for t in TIMES:
        abar = float(scheduler.alphas_cumprod[t].double())
        s = ((1 - abar) / abar) ** 0.5
        x = noisy(s / 2)
        z = 2 * x - 1
        F = told(network, abar**0.5 * z, t, class_labels=labels)
        close(prior, x, s / 2, z - s * F)


@pytest.mark.parametrize("kind", [None, "timestep"])
def test_no_class(kind: str | None, tmp_path: Path) -> None:
    """As of a network whose classes all have the embedding zero."""
    options = {"num_class_embeds": 4} if kind is None else {"class_embed_type": kind}
    network, scheduler = make(**options), diffusers.DDPMScheduler()
    folder = save(network, scheduler, tmp_path)
    for weight in network.class_embedding.parameters():
        torch.nn.init.zeros_(weight)
    for said in ("null", None):
        prior, abar = load_foreign(folder, {"class_label": said}), scheduler.alphas_cumprod[300]
        s = float(((1 - abar) / abar).sqrt())
        z = 2 * (x := noisy(s / 2)) - 1
        F = told(network, float(abar.sqrt()) * z, 300, class_labels=torch.tensor([1, 1]))
        close(prior, x, s / 2, z - s * F)


def test_a_class_that_there_is_not(tmp_path: Path) -> None:
    folder = save(make(num_class_embeds=4), diffusers.DDPMScheduler(), tmp_path)
    with pytest.raises(CheckpointError, match=r"from 0 to 3, or null, got 4"):
        load_foreign(folder, {"class_label": 4})


def check_at_400(prior: Any, network: Any) -> None:
    """epsilon, on the linear schedule."""
    abar = float(diffusers.DDPMScheduler().alphas_cumprod[400].double())
    s = ((1 - abar) / abar) ** 0.5
    x = noisy(s / 2)
    z = 2 * x - 1
    close(prior, x, s / 2, z - s * told(network, abar**0.5 * z, 400))


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


def test_image_sizes(tmp_path: Path) -> None:
    """Images whose sides the network cannot halve are extended and cropped again."""
    prior = load_foreign(save(make(), diffusers.DDPMScheduler(), tmp_path), {})
    assert prior.denoise(torch.rand(1, 1, 13, 18), 0.1).shape == (1, 1, 13, 18)


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
