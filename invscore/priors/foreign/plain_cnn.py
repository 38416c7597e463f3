"""DnCNN, FDnCNN and FFDNet of KAIR, deepinv and others: bare stacks of convolutions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from invscore.priors.foreign.bare import bare_weights, convolutions
from invscore.priors.foreign.containers import Content
from invscore.priors.foreign.drunet import trained_levels
from invscore.priors.foreign.facts import Facts
from invscore.priors.foreign.family import Family
from invscore.priors.foreign.recipe import Recipe

HIGHEST = 75 / 255  # Zhang et al. 2018, Sec. IV-A
IPOL = "intermediate_dncnn.itermediate_dncnn."  # spelled so in the files


def recognise_dncnn(content: Content) -> bool:
    weights = bare_weights(content) or {}
    return ("in_conv.weight" in weights and "conv_list.0.weight" in weights) or (
        _sequence(weights) in ("model.", "dncnn.") and not _halved(weights)
    )


def recognise_ffdnet(content: Content) -> bool:
    weights = bare_weights(content) or {}
    kind = _sequence(weights)
    return kind in (IPOL, "blocks.") or (kind == "model." and _halved(weights))


def read_dncnn(content: Content, facts: Facts) -> Recipe:
    """DnCNN, trained at one level or blindly at several, or FDnCNN, which is told the level."""
    weights = bare_weights(content)
    assert weights is not None
    if "in_conv.weight" in weights:
        layers, residual = _deepinv_layers(weights), 1
    else:
        kind = _sequence(weights)
        layers = convolutions(weights, kind, 1e-4 if kind == "model." else 1e-5)
        residual = -1
    inputs, channels = layers[0][0].shape[1], len(layers[-1][0])
    shape = {"channels": channels, "width": len(layers[0][0]), "depth": len(layers)}
    if inputs == channels:
        return _recipe({"name": "dncnn", **shape, "residual": residual}, layers, facts)
    if inputs == channels + 1:
        return _recipe({"name": "fdncnn", **shape}, layers, facts)
    raise ValueError(
        f"the network takes {inputs} channels and gives {channels}: a DnCNN takes as many, or one "
        "more for the noise level"
    )


def read_ffdnet(content: Content, facts: Facts) -> Recipe:
    weights = bare_weights(content)
    assert weights is not None
    kind = _sequence(weights)
    layers = convolutions(weights, kind, 1e-4 if kind == "model." else 1e-5)
    inputs, channels = layers[0][0].shape[1], len(layers[-1][0]) // 4
    maps = {"model.": 1, "blocks.": 4, IPOL: channels}[kind]
    if (inputs, len(layers[-1][0])) != (4 * channels + maps, 4 * channels):
        raise ValueError(
            f"the network takes {inputs} channels and gives {len(layers[-1][0])}: an FFDNet of "
            f"this kind takes {4 * channels + maps} and gives {4 * channels}"
        )
    residual = -1 if kind == IPOL else 0
    if kind == "blocks.":
        residual = int(facts.usual("residual", False, (True, False)))
    network = {
        "name": "ffdnet",
        "channels": channels,
        "width": len(layers[0][0]),
        "depth": len(layers),
        "maps": maps,
        "maps_first": kind == IPOL,
        "residual": residual,
    }
    return _recipe(network, layers, facts, multiple=2)


def _recipe(
    network: Mapping[str, Any],
    layers: list[tuple[Tensor, Tensor]],
    facts: Facts,
    multiple: int = 1,
) -> Recipe:
    levels: dict[str, float] = {"sigma_min": 1 / 255, "sigma_max": HIGHEST}
    if network["name"] == "dncnn":
        levels = trained_levels(facts)
    weights = {f"layers.{i}.weight": weight for i, (weight, _) in enumerate(layers)}
    weights |= {f"layers.{i}.bias": bias for i, (_, bias) in enumerate(layers)}
    return Recipe(
        network=network,
        weights=weights,
        diffusion=None,
        prior={
            "channels": network["channels"],
            "range": (0.0, 1.0),
            "multiple": multiple,
            **levels,
        },
        facts={"weights": "those of the file"},
    )


def _sequence(weights: Mapping[str, Tensor]) -> str:
    """The prefix of a known sequence of convolutions that all weights are part of, or none."""
    for prefix in ("model.", "dncnn.", IPOL, "blocks."):
        first = f"{prefix}0.0.weight" if prefix == "blocks." else f"{prefix}0.weight"
        if first in weights and all(n.removeprefix(prefix)[:1].isdigit() for n in weights):
            return prefix if weights[first].ndim == 4 else ""
    return ""


def _halved(weights: Mapping[str, Tensor]) -> bool:
    """Whether a sequence gives four channels for each of an image, as FFDNet does."""
    numbers = [int(n.split(".")[1]) for n in weights]
    last = f"model.{max(numbers)}.weight"
    return last in weights and len(weights[last]) % 4 == 0


def _deepinv_layers(weights: Mapping[str, Tensor]) -> list[tuple[Tensor, Tensor]]:
    inner = sum(n.startswith("conv_list.") and n.endswith(".weight") for n in weights)
    places = ["in_conv", *(f"conv_list.{i}" for i in range(inner)), "out_conv"]
    numbered = {
        f"{places.index(name.rpartition('.')[0])}.{name.rpartition('.')[2]}": w
        for name, w in weights.items()
        if name.rpartition(".")[0] in places
    }
    if len(numbered) != len(weights) or "out_conv.weight" not in weights:
        raise ValueError("the network must have in_conv, conv_list and out_conv alone, as a DnCNN")
    return convolutions(numbered, "", 0.0)


DNCNN = Family(
    name="dncnn",
    title="a DnCNN",
    recognise=recognise_dncnn,
    read=read_dncnn,
    facts={"level": "the noise level of a network that was trained at one"},
    source="cszn/KAIR",
)
FFDNET = Family(
    name="ffdnet",
    title="an FFDNet",
    recognise=recognise_ffdnet,
    read=read_ffdnet,
    facts={"residual": "whether a network of deepinv predicts a change of the image"},
    source="cszn/KAIR",
)
