"""Bare state dictionaries of EDM's networks: InverseBench's files and deepinv's.

Their shapes tell the network; how it becomes a denoiser they do not: that is asked for.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from invscore.priors.foreign.bare import bare_weights
from invscore.priors.foreign.containers import Content
from invscore.priors.foreign.facts import Facts
from invscore.priors.foreign.family import (
    Family,
    choose_weights,
    is_weights,
    told_class,
    without_prefix,
)
from invscore.priors.foreign.preconditioning import precondition
from invscore.priors.foreign.recipe import Recipe

PRESETS: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "edm": ("edm", {}, {}),
    "vp": ("vp", {}, {}),
    "ve": ("ve", {}, {}),
    "deepinv": (
        "edm",
        {"sigma_data": 0.75},
        {"range": (0.0, 1.0), "sigma_min": 0.002, "sigma_max": 80.0},
    ),
    "mri": ("edm", {}, {"complex": True, "sigma_min": 0.002, "sigma_max": 80.0}),
    "black-hole": ("vp", {}, {}),
    "inverse-scattering": ("edm", {}, {}),
    "full-waveform": (
        "edm",
        {},
        {"range": (-1.5, 1.5), "sigma_min": 0.002 / 3, "sigma_max": 80.0 / 3},
    ),
    "navier-stokes": ("edm", {}, {}),
}
"""Presets by name: the preconditioning, its options, and what else differs in the prior. They are
what NVlabs train with, deepinv's constructors by default, and the priors of InverseBench."""

WHY = (
    "the weights alone do not tell the preconditioning and range: edm, vp and ve are those of "
    "NVlabs, deepinv what its networks have by default, the others priors of InverseBench"
)


def recognise(content: Content) -> bool:
    return _find(content) != (None, None)


def read(content: Content, facts: Facts) -> Recipe:
    averaged, raw = _find(content)
    weights, called = choose_weights(facts, averaged, raw)
    network, classes = infer(weights)
    kind, options, more = PRESETS[facts.need("preset", WHY, PRESETS)]
    channels = network["in_channels"]
    network, diffusion, prior = precondition(kind, network, options)
    prior |= more
    if prior.get("complex"):
        if channels % 2:
            raise ValueError(f"the network has {channels} channels: complex images take two each")
        channels //= 2
    if classes:
        diffusion |= told_class(facts, classes)
    return Recipe(
        network=network,
        weights=weights,
        diffusion=diffusion,
        prior={
            "channels": channels,
            "multiple": 2 ** (len(network["channel_mult"]) - 1),
            **prior,
        },
        facts={
            "weights": called if averaged is not None else "those of the file",
            "trained at": network["img_resolution"],
        },
    )


def _find(content: Content) -> tuple[dict[str, Tensor] | None, dict[str, Tensor] | None]:
    """The averaged and the plain weights of a network of this kind, without prefix."""
    averaged, raw = content.at("ema"), content.at("net")
    if averaged is None and raw is None:
        raw = bare_weights(content)
    found = [_own(weights) if is_weights(weights) else None for weights in (averaged, raw)]
    return found[0], found[1]


def _own(weights: Mapping[str, Tensor]) -> dict[str, Tensor] | None:
    for prefix in ("model.", ""):
        if f"{prefix}map_layer0.weight" in weights:
            own = without_prefix(weights, prefix)
            return (
                own if any(re.match(r"enc\.\d+x\d+_conv\.weight", name) for name in own) else None
            )
    return None


def infer(weights: Mapping[str, Tensor]) -> tuple[dict[str, Any], int]:
    """Name and options of the network whose shapes these are, and how many classes it has.

    Raises ``ValueError`` for weights that are none of ``SongUNet`` or ``DhariwalUNet``.
    """
    first = next(name for name in weights if re.match(r"enc\.\d+x\d+_conv\.weight", name))
    size = int(first.split(".")[1].split("x")[0])
    dhariwal = "out_conv.weight" in weights
    levels = 0
    while any(name.startswith(f"enc.{_place(size, levels)}_block0.") for name in weights):
        levels += 1
    blocks = sum(
        re.fullmatch(rf"enc\.{_place(size, 0)}_block\d+\.conv0\.weight", name) is not None
        for name in weights
    )
    if not levels or not blocks:
        raise ValueError("the network has no residual blocks, as a UNet of EDM has")
    places = [_place(size, level) for level in range(levels)]
    widths = [len(_at(weights, f"enc.{place}_block0.conv0.weight")) for place in places]
    embedding, noise = _at(weights, "map_layer0.weight").shape
    width = noise if dhariwal else len(weights[first])
    ends = len(_at(weights, "out_conv.weight" if dhariwal else f"dec.{places[0]}_aux_conv.weight"))
    label = weights.get("map_label.weight")
    augment = weights.get("map_augment.weight")
    network: dict[str, Any] = {
        "name": "dhariwal-unet" if dhariwal else "song-unet",
        "img_resolution": size,
        "in_channels": weights[first].shape[1],
        "out_channels": ends,
        "label_dim": 0 if label is None else label.shape[1],
        "augment_dim": 0 if augment is None else augment.shape[1],
        "model_channels": width,
        "channel_mult": [w // width for w in widths],
        "channel_mult_emb": embedding // width,
        "num_blocks": blocks,
        "attn_resolutions": [
            size >> level
            for level, place in enumerate(places)
            if f"enc.{place}_block0.qkv.weight" in weights
        ],
    }
    if not dhariwal:
        network |= _song(weights, places, noise // width)
    return network, network["label_dim"]


def _song(weights: Mapping[str, Tensor], places: list[str], noise: int) -> dict[str, Any]:
    """Options that only a ``SongUNet`` has."""

    def has(part: str) -> bool:
        return any(f"_{part}." in name for name in weights)

    kernel = next((w for n, w in weights.items() if n.endswith("resample_filter")), torch.ones(2))
    row = kernel.reshape(-1, kernel.shape[-1])[0].float()
    return {
        "embedding_type": "fourier" if "map_noise.freqs" in weights else "positional",
        "channel_mult_noise": noise,
        "encoder_type": (
            "residual" if has("aux_residual") else "skip" if has("aux_skip") else "standard"
        ),
        "decoder_type": "skip"
        if f"dec.{places[-1]}_aux_conv.weight" in weights and len(places) > 1
        else "standard",
        "resample_filter": (row / row.abs().min()).round().tolist(),
    }


def _place(size: int, level: int) -> str:
    return f"{size >> level}x{size >> level}"


def _at(weights: Mapping[str, Tensor], name: str) -> Tensor:
    if name not in weights:
        raise ValueError(f"the network has no {name}, as a UNet of EDM has")
    return weights[name]


FAMILY = Family(
    name="karras",
    title="a bare network of EDM, as of InverseBench or deepinv",
    recognise=recognise,
    read=read,
    facts={
        "preset": f"{', '.join(PRESETS)}",
        "ema": "false for the weights that are not averaged",
        "class_label": "of a network with classes; null for none of them",
    },
    source="devzhk/InverseBench",
)
