"""Folders that diffusers writes: a network and a scheduler, each with its configuration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from invscore.priors.foreign import diffusers_unet, schedules
from invscore.priors.foreign.containers import Content
from invscore.priors.foreign.facts import Facts
from invscore.priors.foreign.family import Family, Refusal, is_weights, told_class
from invscore.priors.foreign.recipe import Recipe
from invscore.priors.foreign.translate import translate

NETWORK = "UNet2DModel"
PREDICTS = {"epsilon": "epsilon", "v_prediction": "v", "sample": "x0"}
DISTILLED = (
    "CMStochastic",
    "LCM",
    "TCD",
    "SCM",
    "FlowMatchLCM",
    "FlowMapEuler",
    "Piflow",
    "Helios",
)
EDM = ("EDMEulerScheduler", "EDMDPMSolverMultistepScheduler")


def recognise(content: Content) -> bool:
    return content.kind == "folder" and _component(content, NETWORK) is not None


def read(content: Content, facts: Facts) -> Recipe:
    """``UNet2DModel`` and any of the schedulers that say how it was trained.

    Steps, thresholding and shifts of a scheduler are of its sampler and change nothing here.
    """
    place, which = _choose(content, facts)
    config = {n: v for n, v in content.data[f"{place}config.json"].items() if n[:1] != "_"}
    channels, given = config["in_channels"], config["out_channels"]
    if given not in (channels, 2 * channels):
        raise ValueError(
            f"the network takes {channels} channels and gives {given}: it is conditioned on "
            "another image, and a prior is not"
        )
    network = diffusers_unet.network(config)
    diffusion, prior = _schedule(content, facts)
    if config.get("num_class_embeds") or config.get("class_embed_type"):
        diffusion |= told_class(facts, config.get("num_class_embeds"))
    weights = _weights(content, place)
    return Recipe(
        network=network,
        weights=translate(network, weights, diffusers_unet.names(weights)),
        diffusion=diffusion,
        prior={
            "channels": channels,
            "range": facts.get("range", prior.pop("range", (-1.0, 1.0))),
            "multiple": 2 ** (len(config["block_out_channels"]) - 1),
            **prior,
        },
        facts={
            "weights": which,
            "trained at": config.get("sample_size"),
        },
    )


def _component(content: Content, kind: str) -> str | None:
    """The folder within, ``"unet/"`` say, of the component of that class."""
    return min(_components(content, kind), default=None)


def _choose(content: Content, facts: Facts) -> tuple[str, str]:
    """Where the network is, and how its weights are called: the training script of diffusers
    keeps averaged ones beside the others, in ``unet_ema``."""
    places = _components(content, NETWORK)
    averaged = [place for place in places if "ema" in place]
    plain = [place for place in places if "ema" not in place]
    if not averaged:
        facts.choose("ema", False, (False,))
        return min(plain), "those of the folder"
    wanted = facts.choose("ema", True, (True, False) if plain else (True,))
    return (min(averaged), "EMA") if wanted else (min(plain), "not averaged")


def _components(content: Content, kind: str) -> list[str]:
    return [
        name.removesuffix("config.json")
        for name in content.data
        if name.split("/")[-1] == "config.json"
        and isinstance(config := content.data[name], Mapping)
        and config.get("_class_name") == kind
    ]


def _weights(content: Content, place: str) -> Mapping[str, Tensor]:
    stem = f"{place}diffusion_pytorch_model"
    for name in (".safetensors", ".bin", ".fp16.safetensors", ".fp16.bin"):
        if is_weights(found := content.data.get(stem + name)):
            return found
    parts = sorted(n for n in content.data if n.startswith(f"{stem}-") and n.endswith("rs"))
    if parts:
        return {name: w for part in parts for name, w in content.data[part].items()}
    raise ValueError(f"the folder has no {stem}.safetensors")


def _schedule(content: Content, facts: Facts) -> tuple[dict[str, Any], dict[str, Any]]:
    """Options of ``Diffusion`` and of the prior, by the scheduler or by what the user says."""
    name = min((n for n in content.data if n.endswith("scheduler_config.json")), default=None)
    config = None if name is None else content.data[name]
    if config is None:
        why = "the folder has no scheduler/scheduler_config.json"
        predicts = facts.need("predicts", why, ("epsilon", "v", "x0"))
        schedule = facts.need("schedule", why, ("linear", "cosine"))
        table = schedules.linear() if schedule == "linear" else schedules.cosine()
        return {"predicts": predicts, "alphas_cumprod": table.tolist()}, {}
    kind = config.get("_class_name", "")
    if kind.startswith(DISTILLED):
        raise ValueError(
            f"the scheduler is a {kind}, of a distilled model: it gives a sample where a prior "
            "must give the mean"
        )
    if kind in EDM:
        if config.get("prediction_type", "epsilon") != "epsilon":
            raise ValueError(
                f"prediction_type of {kind} must be epsilon, got {config['prediction_type']!r}"
            )
        unit = 2.0
        levels = {name: config[name] / unit for name in ("sigma_min", "sigma_max")}
        return {"predicts": "edm", "sigma_data": config.get("sigma_data", 0.5)}, levels
    said = config.get("prediction_type", "epsilon")
    if kind.startswith("FlowMatch") or said == "flow_prediction":
        clock = {"predicts": "flow", "time_scale": config.get("num_train_timesteps", 1000)}
        return clock, {"sigma_min": 5e-4, "sigma_max": 500.0}
    if kind.startswith("ScoreSdeVe"):
        levels = {name: config[name] for name in ("sigma_min", "sigma_max")}
        return {"predicts": "score", "time": "sigma"}, {"range": (0.0, 1.0), **levels}
    if "beta_schedule" not in config or config.get("timestep_type") == "continuous":
        raise ValueError(f"the scheduler is a {kind}, whose noise levels are not known here")
    if said not in PREDICTS:
        raise ValueError(f"prediction_type must be one of {', '.join(PREDICTS)}, got {said!r}")
    table = _alphas_cumprod(config)
    return {"predicts": PREDICTS[said], "alphas_cumprod": table.tolist()}, {}


def _alphas_cumprod(config: Mapping[str, Any]) -> Tensor:
    steps = schedules.whole_steps(config.get("num_train_timesteps", 1000))
    ends = config.get("beta_start", 1e-4), config.get("beta_end", 0.02)
    name = config["beta_schedule"]
    if config.get("trained_betas") is not None:
        table = schedules.cumulated(torch.tensor(config["trained_betas"], dtype=torch.float64))
    elif name == "linear":
        table = schedules.linear(steps, *ends)
    elif name == "scaled_linear":
        table = schedules.scaled_linear(steps, *ends)
    elif name == "squaredcos_cap_v2":
        table = schedules.cosine(steps)
    elif name == "sigmoid":
        table = schedules.sigmoid(steps, *ends)
    else:
        raise ValueError(f"beta_schedule {name!r} of the scheduler is not known here")
    return schedules.zero_terminal(table) if config.get("rescale_betas_zero_snr") else table


FAMILY = Family(
    name="diffusers",
    title="a diffusers folder",
    recognise=recognise,
    read=read,
    facts={
        "predicts": "epsilon, v or x0, where the folder has no scheduler",
        "schedule": "linear or cosine, where the folder has no scheduler",
        "class_label": "of a network with classes; null for none of them",
        "ema": "false for the weights that are not averaged, where there are both",
    },
    source="huggingface/diffusers",
)

LATENT = Refusal(
    title="a latent diffusion pipeline of diffusers",
    recognise=lambda content: (
        content.kind == "folder"
        and any(_component(content, kind) is not None for kind in ("AutoencoderKL", "VQModel"))
    ),
    why="its network knows latent codes: a prior must denoise images, and the noise of an image is "
    "no noise of its code",
)
OTHER = Refusal(
    title="a diffusers folder without a UNet2DModel",
    recognise=lambda content: (
        content.kind == "folder"
        and any(n.split("/")[-1] in ("model_index.json", "config.json") for n in content.data)
    ),
    why="a UNet2DModel is what can be read: networks that are told a text or another "
    "image are not priors of images alone",
)
