"""Folders that diffusers writes: D against diffusers' own networks and schedulers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers_folders import TIMES, close, diffusers, make, noisy, save, told

from invscore.files.checkpoint import CheckpointError
from invscore.priors.foreign import load_foreign

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


def test_image_sizes(tmp_path: Path) -> None:
    """Images whose sides the network cannot halve are extended and cropped again."""
    prior = load_foreign(save(make(), diffusers.DDPMScheduler(), tmp_path), {})
    assert prior.denoise(torch.rand(1, 1, 13, 18), 0.1).shape == (1, 1, 13, 18)
