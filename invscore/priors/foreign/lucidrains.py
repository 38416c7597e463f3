"""Checkpoints of denoising-diffusion-pytorch: of its trainer, its diffusion or its UNet alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from invscore.priors.foreign import schedules
from invscore.priors.foreign.containers import Content
from invscore.priors.foreign.facts import Facts
from invscore.priors.foreign.family import (
    Family,
    Refusal,
    choose_weights,
    is_weights,
    without_prefix,
)
from invscore.priors.foreign.recipe import Recipe

SIGN = "init_conv.weight"
TABLE = "alphas_cumprod"
PREDICTS = ("epsilon", "v", "x0")
SCHEDULES = {
    "linear": lambda: schedules.linear(),
    "cosine": lambda: schedules.cosine(),
    "sigmoid": lambda: schedules.logistic(),
}


def recognise(content: Content) -> bool:
    return any(w is not None and "mid_attn.mem_kv" in _unet(w) for w in _weights(content))


def read(content: Content, facts: Facts) -> Recipe:
    """The table of the noise, and by the weight of its loss what the network predicts, are in the
    file of a diffusion; those of a UNet alone are asked for."""
    averaged, raw = _weights(content)
    weights, which = choose_weights(facts, averaged, raw)
    which = "those of the file" if weights is content.data else which
    unet = _unet(weights)
    network = _network(unet, facts)
    channels, given = network["channels"], network["out"]
    if given not in (channels, 2 * channels):
        raise ValueError(
            f"the network takes {channels} channels and gives {given}: a prior's gives as many, or "
            "twice as many with variances"
        )
    table = weights.get(TABLE)
    if table is None:
        why = "the file has the weights of the UNet and no schedule"
        table = SCHEDULES[facts.need("schedule", why, tuple(SCHEDULES))]()
    predicts = _objective(weights)
    if predicts is None:
        predicts = facts.need("predicts", "the file does not tell", PREDICTS)
    return Recipe(
        network=network,
        weights=unet,
        diffusion={"predicts": predicts, "alphas_cumprod": table.double().tolist()},
        prior={
            "channels": channels,
            "range": (-1.0, 1.0),  # "auto_normalize"; the fact `range` says otherwise
            "multiple": 2 ** (len(network["stages"]) - 1),
        },
        facts={"weights": which, "steps of training": _step(content)},
    )


def _weights(content: Content) -> tuple[Mapping[str, Tensor] | None, Mapping[str, Tensor] | None]:
    """The averaged and the plain weights, each a diffusion's or a UNet's."""
    averaged, raw = content.at("ema"), content.at("model")
    averaged = without_prefix(averaged, "ema_model.") if is_weights(averaged) else None
    if is_weights(raw) or averaged:
        return averaged or None, raw if is_weights(raw) else None
    return None, content.data if is_weights(content.data) else None


def _unet(weights: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """The UNet's own, which a diffusion calls its model."""
    return weights if SIGN in weights else without_prefix(weights, "model.")


def _step(content: Content) -> int | None:
    step = content.at("step")
    return step if isinstance(step, int) else None


def _objective(weights: Mapping[str, Tensor]) -> str | None:
    """What the loss weights, those of x0, say: the signal-to-noise ratio r or, of ``epsilon``,
    1, and of ``v``, r / (r + 1), with r in the numerator cut above (Hang et al. 2023)."""
    weight, table = weights.get("loss_weight"), weights.get(TABLE)
    if weight is None or table is None or weight.shape != table.shape:
        return None
    table, weight = table.double(), weight.double()
    known = (table > 1e-5) & (table < 1 - 1e-5)  # the rest is rounded
    ratio = (table / (1 - table))[known]
    numerators = {"epsilon": ratio, "v": ratio + 1, "x0": torch.ones_like(ratio)}
    for predicts, factor in numerators.items():
        numerator = weight[known] * factor
        if torch.allclose(numerator, ratio.clamp(max=numerator.max()), rtol=1e-2):
            return predicts
    return None


def _network(unet: Mapping[str, Tensor], facts: Facts) -> dict[str, Any]:
    try:
        return _described(unet, facts)
    except KeyError as error:
        raise ValueError(
            "the weights are not those of a UNet of denoising-diffusion-pytorch: there is no "
            f"{error}"
        ) from error
    except IndexError as error:
        raise ValueError(
            "the weights have not the shapes of a UNet of denoising-diffusion-pytorch"
        ) from error


def _described(unet: Mapping[str, Tensor], facts: Facts) -> dict[str, Any]:
    def attention(place: str) -> tuple[int, int, int, bool]:
        full = f"{place}.to_out.weight" in unet
        shape = unet[f"{place}.mem_kv"].shape
        memory, head = (shape[2], shape[3]) if full else (shape[3], shape[2])
        return shape[1], head, memory, full

    stages: list[dict[str, Any]] = []
    while f"downs.{len(stages)}.0.block1.proj.weight" in unet:
        place = f"downs.{len(stages)}"
        leave = unet.get(f"{place}.3.weight", unet.get(f"{place}.3.1.weight"))
        if leave is None:
            raise KeyError(f"{place}.3.weight")
        heads, head, memory, full = attention(f"{place}.2")
        width = unet[f"{place}.0.block1.proj.weight"].shape[0]
        stages.append(
            {
                "width": width,
                "out": leave.shape[0],
                "heads": heads,
                "head": head,
                "memory": memory,
                "full": full,
            }
        )
    if not stages:
        raise KeyError("downs.0.0.block1.proj.weight")
    time = unet["time_mlp.1.weight"].shape
    taken, given = unet[SIGN].shape[1], unet["final_conv.weight"].shape[0]
    grouped = "mid_block1.block1.norm.weight" in unet
    return {
        "name": "memory-unet",
        "channels": taken // 2 if taken == 2 * given else taken,
        "out": given,
        "stages": stages,
        "middle": list(attention("mid_attn")[:3]),
        "time_width": time[1],
        "time_out": time[0],
        "groups": facts.whole("groups", 8, 1, 1024) if grouped else None,
        "theta": facts.positive("theta", 10_000.0),
        "self_condition": taken == 2 * given,
    }


FAMILY = Family(
    name="denoising-diffusion-pytorch",
    title="a denoising-diffusion-pytorch checkpoint",
    recognise=recognise,
    read=read,
    facts={
        "predicts": "epsilon, v or x0, where the file does not tell",
        "schedule": "linear, cosine or sigmoid, of the weights of a UNet alone",
        "groups": "of the norms (resnet_block_groups) before version 2.1, 8",
        "theta": "sinusoidal_pos_emb_theta, 10000",
        "ema": "false for the weights that are not averaged",
    },
    source="lucidrains/denoising-diffusion-pytorch",
)

OLD = Refusal(
    title="a denoising-diffusion-pytorch checkpoint from before version 1.9",
    recognise=lambda content: any(
        w is not None and SIGN in _unet(w) and "mid_attn.mem_kv" not in _unet(w)
        for w in _weights(content)
    ),
    why="those versions computed unlike things with weights of the same names; load it with the "
    "version that wrote it and wrap the model in `invscore.priors.DiffusionPrior`",
)
