"""Weights of MONAI's ``DiffusionModelUNet``, whose scheduler and options are kept elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from torch import Tensor

from invscore.networks.foreign.residual_unet import Level, Resampling, Shape
from invscore.priors.foreign import schedules
from invscore.priors.foreign.bare import network_weights
from invscore.priors.foreign.containers import Content
from invscore.priors.foreign.facts import Facts
from invscore.priors.foreign.family import Family, choose_weights, told_class
from invscore.priors.foreign.recipe import Recipe
from invscore.priors.foreign.translate import Names, renamed, translate

SIGNS = ("conv_in.conv.weight", "middle_block.resnet_1.norm1.weight", "out.2.conv.weight")
LARGEST = 100_000
PREDICTS = ("epsilon", "v", "x0")
SCHEDULES = ("linear", "scaled_linear", "cosine", "sigmoid")


def recognise(content: Content) -> bool:
    found = (None, None) if content.kind == "folder" else network_weights(content, SIGNS[0])
    return any(weights is not None and all(n in weights for n in SIGNS) for weights in found)


def read(content: Content, facts: Facts) -> Recipe:
    """Widths and blocks follow from the shapes; heads, scheduler and range are asked."""
    averaged, raw = network_weights(content, SIGNS[0])
    weights, which = choose_weights(facts, averaged, raw)
    if weights[SIGNS[0]].ndim != 4:
        raise ValueError("the network is of volumes: a prior is of images")
    if any(".transformer_blocks." in name for name in weights):
        raise ValueError("the network has cross-attention: it is told what a prior does not know")
    network = _network(weights, facts)
    why = "the scheduler is no part of the file"
    predicts = facts.need("predicts", why, PREDICTS)
    schedule = facts.need("schedule", why, SCHEDULES)
    steps = facts.whole("steps", 1000, 2, LARGEST)
    ends = facts.positive("beta_start", 1e-4), facts.positive("beta_end", 0.02)
    table = {
        "linear": lambda: schedules.linear(steps, *ends),
        "scaled_linear": lambda: schedules.scaled_linear(steps, *ends),
        "cosine": lambda: schedules.cosine(steps),
        "sigmoid": lambda: schedules.sigmoid(steps, *ends),
    }[schedule]()
    diffusion: dict[str, Any] = {"predicts": predicts, "alphas_cumprod": table.tolist()}
    if (classes := network["embedding"]["classes"]) is not None:
        diffusion |= told_class(facts, classes)
    return Recipe(
        network=network,
        weights=translate(network, weights, names(weights)),
        diffusion=diffusion,
        prior={
            "channels": network["channels"],
            "range": facts.need("range", "the file does not tell that of its images"),
            "multiple": 2 ** (len(network["down"]) - 1),
        },
        facts={"weights": "those of the file" if averaged is None else which},
    )


def _network(weights: Mapping[str, Tensor], facts: Facts) -> dict[str, Any]:
    groups = facts.whole("groups", 32, 1, LARGEST)
    try:
        shape = _shape(weights, groups, _head_channels(facts))
    except KeyError as error:
        raise ValueError(
            f"the weights are not those of a DiffusionModelUNet: there is no {error}"
        ) from error
    except IndexError as error:
        raise ValueError("the weights have not the shapes of a DiffusionModelUNet") from error
    for level in shape.down:
        if level.width % groups:
            raise ValueError(f"`groups` must divide {level.width}, got {groups} (norm_num_groups)")
    return {"name": "residual-unet", **asdict(shape)}


def _head_channels(facts: Facts) -> list[int]:
    said = facts.need("head_channels", "weights do not tell num_head_channels, a number or a list")
    heads = list(said) if isinstance(said, (list, tuple)) else [said]
    if not heads or any(type(head) is not int or head < 1 for head in heads):
        raise ValueError(f"`head_channels` must be whole numbers from 1, got {said!r}")
    return heads


def _shape(weights: Mapping[str, Tensor], groups: int, head_channels: list[int]) -> Shape:
    levels = _count(weights, "down_blocks.{}.resnets.0.norm1.weight")
    if len(head_channels) == 1:
        head_channels = head_channels * levels
    if len(head_channels) != levels:
        raise ValueError(
            f"`head_channels` must be one number or {levels}, got {len(head_channels)}"
        )

    def heads(width: int, level: int) -> int:
        if width % head_channels[level]:
            raise ValueError(f"`head_channels` must divide {width}, got {head_channels[level]}")
        return width // head_channels[level]

    def side(name: str, order: list[int]) -> list[Level]:
        found = []
        for place, level in enumerate(order):
            block = f"{name}_blocks.{place}"
            width = weights[f"{block}.resnets.0.conv1.conv.weight"].shape[0]
            resampling: Resampling | None = "conv"
            if f"{block}.{name}sampler.norm1.weight" in weights:
                resampling = "residual"
            attended = any(n.startswith(f"{block}.attentions.") for n in weights)
            found.append(
                Level(
                    width,
                    _count(weights, f"{block}.resnets.{{}}.norm1.weight"),
                    heads(width, level) if attended else None,
                    None if place == levels - 1 else resampling,
                )
            )
        return found

    time = weights["time_embed.0.weight"].shape
    labels = weights.get("class_embedding.weight")
    down = side("down", list(range(levels)))
    return Shape(
        channels=weights["conv_in.conv.weight"].shape[1],
        out=weights["out.2.conv.weight"].shape[0],
        down=down,
        up=side("up", list(range(levels))[::-1]),
        middle=heads(down[-1].width, levels - 1),
        time_width=time[1],
        time_out=time[0],
        groups=groups,
        eps=1e-6,
        project=any("out_proj" in name or "proj_attn" in name for name in weights),
        embedding={"classes": None if labels is None else labels.shape[0]},
    )


def _count(weights: Mapping[str, Tensor], name: str) -> int:
    count = 0
    while name.format(count) in weights:
        count += 1
    return count


_RENAMED = renamed(
    (r"^embed\.label\.", "class_embedding."),
    (r"^embed\.mlp\.", "time_embed."),
    (r"^stem\.", "conv_in.conv."),
    (r"^norm\.", "out.0."),
    (r"^head\.", "out.2.conv."),
    (r"\.norm_in\.", ".norm1."),
    (r"\.conv_in\.", ".conv1.conv."),
    (r"\.time\.", ".time_emb_proj."),
    (r"\.norm_out\.", ".norm2."),
    (r"\.conv_out\.", ".conv2.conv."),
    (r"\.shortcut\.", ".skip_connection.conv."),
    (r"^middle\.blocks\.0\.", "middle_block.resnet_1."),
    (r"^middle\.blocks\.1\.", "middle_block.resnet_2."),
    (r"^middle\.attention\.0\.", "middle_block.attention."),
    (r"^(down|up)\.(\d+)\.", r"\1_blocks.\2."),
    (r"\.blocks\.", ".resnets."),
    (r"\.attention\.(\d+)\.", r".attentions.\1."),
    (r"^down(.*)\.resample\.(weight|bias)", r"down\1.downsampler.op.conv.\2"),
    (r"^up(.*)\.resample\.(weight|bias)", r"up\1.upsampler.postconv.conv.\2"),
    (r"^(down|up)(.*)\.resample\.", r"\1\2.\1sampler."),
)


def names(weights: Mapping[str, Tensor]) -> Names:
    """The names in a file of MONAI, or of MONAI Generative, from which it came."""
    old = any(".proj_attn." in name for name in weights)
    fused = any(".attn.qkv." in name for name in weights)

    def find(ours: str) -> list[str]:
        theirs = _RENAMED(ours)
        if old:
            theirs = theirs.replace(".postconv.conv.", ".conv.conv.")
        within = "" if old else "attn."
        if ".qkv." in theirs and not fused:
            return [theirs.replace("qkv.", f"{within}to_{letter}.") for letter in "qkv"]
        theirs = theirs.replace(".qkv.", ".attn.qkv.")
        if ".attention" in theirs:
            theirs = theirs.replace(".out.", ".proj_attn." if old else ".attn.out_proj.")
        return [theirs]

    return find


FAMILY = Family(
    name="monai",
    title="a MONAI DiffusionModelUNet",
    recognise=recognise,
    read=read,
    facts={
        "head_channels": "num_head_channels: one number, or one for each resolution",
        "groups": "norm_num_groups, 32",
        "predicts": "epsilon, v or x0 (prediction_type)",
        "schedule": "linear, scaled_linear, cosine or sigmoid",
        "steps": "num_train_timesteps, 1000",
        "beta_start": "0.0001",
        "beta_end": "0.02",
        "class_label": "of a network with classes; null for none of them",
        "ema": "false for the weights that are not averaged, where a file has both",
    },
    source="Project-MONAI/MONAI",
)
