"""k-diffusion: states of training, and slim ``.safetensors`` files with the same configuration."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from invscore.priors.foreign.containers import Content
from invscore.priors.foreign.facts import Facts
from invscore.priors.foreign.family import Family, choose_weights, is_weights, without_prefix
from invscore.priors.foreign.recipe import Recipe

OPTIONS = (
    "input_channels", "mapping_out", "depths", "channels", "self_attn_depths", "patch_size",
    "skip_stages", "has_variance",
)  # fmt: skip
CONDITIONS = {
    "mapping_cond_dim": "conditions",
    "unet_cond_dim": "another image",
    "cross_cond_dim": "a text",
}
AUGMENTATION = 9  # conditions of augmentation, which are zero without any


def recognise(content: Content) -> bool:
    if is_weights(content.at("model_ema")):
        return True
    return content.kind == "safetensors" and isinstance(_config(content), Mapping)


def read(content: Content, facts: Facts) -> Recipe:
    """``ImageDenoiserModelV1`` with its preconditioner; everything is in the configuration."""
    config = _config(content)
    if not isinstance(config, Mapping):
        raise ValueError("the file has no config with a model, as k-diffusion saves it")
    kind = config.get("type")
    if kind != "image_v1":
        raise ValueError(f"the network is the {kind} of k-diffusion: image_v1 is what can be read")
    for name, what in CONDITIONS.items():
        if config.get(name):
            raise ValueError(f"the network is told {what} ({name}), and a prior is of images alone")
    if content.kind == "safetensors":
        averaged, raw = content.data, None
    else:
        averaged, raw = content.at("model_ema"), content.at("model")
    weights, called = choose_weights(facts, averaged, raw)
    weights = without_prefix(weights, "inner_model.") or weights
    network = {name: config[name] for name in OPTIONS if name in config}
    wrapped = config.get("augment_wrapper", True)
    network |= {"mapping_cond_dim": AUGMENTATION if wrapped else 0, "name": "k-diffusion-unet"}
    halvings = len(config["depths"]) - 1 - config.get("skip_stages", 0)
    levels = {}
    for name in ("sigma_min", "sigma_max"):
        if name not in config:
            levels[name] = facts.need_positive(name, "the configuration does not tell it")
        else:
            levels[name] = float(config[name]) / 2
    return Recipe(
        network=network,
        weights=weights,
        diffusion={"predicts": "edm", "sigma_data": float(config.get("sigma_data", 1.0))},
        prior={
            "channels": config["input_channels"],
            "range": (-1.0, 1.0),
            "multiple": 2**halvings * config.get("patch_size", 1),
            **levels,
        },
        facts={"weights": called, "trained at": config.get("input_size")},
    )


def _config(content: Content) -> Any:
    """Configuration of the model, or ``None``."""
    config = content.at("config")
    if content.kind == "safetensors":
        try:
            config = json.loads(content.metadata.get("config", ""))
        except ValueError:
            return None
    found = config.get("model") if isinstance(config, Mapping) else None
    return found if isinstance(found, Mapping) and "type" in found else None


FAMILY = Family(
    name="k-diffusion",
    title="a k-diffusion checkpoint",
    recognise=recognise,
    read=read,
    facts={"ema": "false for the weights that are not averaged"},
    source="crowsonkb/k-diffusion",
)
