"""Pickles of NVlabs' EDM and EDM2, which rebuild a network from source of their own: read inertly.

What they say of a network is its class, the arguments it was made with and its tensors; nothing of
the source is run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor

from invscore.priors.foreign.containers import Content
from invscore.priors.foreign.facts import Facts
from invscore.priors.foreign.family import Family, Refusal, told_class
from invscore.priors.foreign.inert import PERSISTENT
from invscore.priors.foreign.preconditioning import EDM_LEVELS, NETWORKS, precondition
from invscore.priors.foreign.recipe import Recipe
from invscore.priors.foreign.records import Record

KINDS = {"EDMPrecond": "edm", "VPPrecond": "vp", "VEPrecond": "ve", "iDDPMPrecond": "iddpm"}
SHARED = (
    "model_channels", "channel_mult", "channel_mult_emb", "num_blocks", "attn_resolutions",
)  # fmt: skip
OPTIONS = {
    "SongUNet": (
        *SHARED, "augment_dim", "embedding_type", "channel_mult_noise", "encoder_type",
        "decoder_type", "resample_filter",
    ),
    "DhariwalUNet": (*SHARED, "augment_dim"),
    "UNet": (
        *SHARED, "channel_mult_noise", "label_balance", "concat_balance", "resample_filter",
        "channels_per_head", "res_balance", "attn_balance", "clip_act",
    ),
}  # fmt: skip
"""Options that change each network."""

OTHER = (
    "img_resolution", "img_channels", "label_dim", "model_type", "use_fp16", "dropout",
    "label_dropout", "sigma_data", "sigma_min", "sigma_max", "beta_d", "beta_min", "epsilon_t", "M",
    "C_1", "C_2", "logvar_channels",
)  # fmt: skip
"""Options of the preconditioning, or of training alone."""


def recognise(content: Content) -> bool:
    return _class(_network(content)) in (*KINDS, "Precond")


def read(content: Content, facts: Facts) -> Recipe:
    """Everything but the class label is in the file."""
    averaged = _class(content.at("ema")) is not None
    facts.choose("ema", averaged, (averaged,))  # there is one network in such a file
    record = _network(content)
    kind, options = _class(record), dict(_state(record).get("_init_kwargs") or {})
    if _state(record).get("_init_args"):
        raise ValueError(f"the {kind} was made with unnamed arguments, which are not known here")
    for name in ("img_resolution", "img_channels"):
        if name not in options:
            raise ValueError(f"the {kind} was made without {name}")
    edm2 = kind == "Precond"
    model = "UNet" if edm2 else options.get("model_type", _usual(kind))
    if model not in OPTIONS:
        raise ValueError(f"model_type must be one of {', '.join(NETWORKS)}, got {model!r}")
    for name in options:
        if name not in OPTIONS[model] and name not in OTHER:
            raise ValueError(f"the {kind} was made with {name}, which is not known here")
    network = {name: _plain(options[name]) for name in OPTIONS[model] if name in options}
    channels, classes = int(options["img_channels"]), int(options.get("label_dim") or 0)
    network |= {"img_resolution": int(options["img_resolution"]), "label_dim": classes}
    prefix = "unet." if edm2 else "model."
    diffusion: dict[str, Any]
    prior: dict[str, Any]
    if edm2:
        network |= {"name": "edm2-unet", "img_channels": channels}
        diffusion = {"predicts": "edm", "sigma_data": float(options.get("sigma_data", 0.5))}
        prior = {"range": (-1.0, 1.0), **EDM_LEVELS}
    else:
        outputs = 2 * channels if kind == "iDDPMPrecond" else channels
        network |= {"name": NETWORKS[model], "in_channels": channels, "out_channels": outputs}
        network, diffusion, prior = precondition(KINDS[str(kind)], network, options)
    if classes:
        diffusion |= told_class(facts, classes, null=bool(options.get("label_dropout")))
    levels = len(options.get("channel_mult", (1, 2, 3, 4)))
    return Recipe(
        network=network,
        weights={n[len(prefix) :]: w for n, w in _tensors(record) if n.startswith(prefix)},
        diffusion=diffusion,
        prior={"channels": channels, "multiple": 2 ** (levels - 1), **prior},
        facts={
            "weights": "EMA" if averaged else "not averaged",
            "trained at": network["img_resolution"],
        },
    )


def _network(content: Content) -> Any:
    """The network of a snapshot, or that of a state of training."""
    averaged = content.at("ema")
    return content.at("net") if _class(averaged) is None else averaged


def _class(record: Any) -> str | None:
    """The name of the class of a network that a pickle rebuilds from its own source."""
    if isinstance(record, Record) and record.source.endswith(f".{PERSISTENT}"):
        name = _meta(record).get("class_name")
        return name if isinstance(name, str) else None
    return None


def _meta(record: Record) -> Mapping[str, Any]:
    meta = record.args[0] if record.args else {}
    meta = meta.fields if isinstance(meta, Record) else meta
    return meta if isinstance(meta, Mapping) else {}


def _state(record: Record) -> Mapping[str, Any]:
    """The attributes of a module."""
    state = _meta(record).get("state") if _class(record) else record.state
    state = state.fields if isinstance(state, Record) else state
    return state if isinstance(state, Mapping) else {}


def _tensors(record: Record, prefix: str = "") -> Iterator[tuple[str, Tensor]]:
    """Parameters and buffers of a module and of those in it, by the names of a state dictionary."""
    state = _state(record)
    fleeting = state.get("_non_persistent_buffers_set") or ()
    for kind in ("_parameters", "_buffers"):
        for name, tensor in (state.get(kind) or {}).items():
            if isinstance(tensor, Tensor) and name not in fleeting:
                yield f"{prefix}{name}", tensor
    for name, module in (state.get("_modules") or {}).items():
        if isinstance(module, Record):
            yield from _tensors(module, f"{prefix}{name}.")


def _plain(value: Any) -> Any:
    """The value in types of JSON."""
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value.item() if hasattr(value, "item") else value


def _usual(kind: str | None) -> str:
    """The network of a preconditioning that was not told one."""
    return "SongUNet" if kind in ("VPPrecond", "VEPrecond") else "DhariwalUNet"


FAMILY = Family(
    name="nvlabs",
    title="a pickle of EDM or EDM2",
    recognise=recognise,
    read=read,
    facts={"class_label": "of a network with classes; null for none of them"},
    source="NVlabs/edm",
)

LATENT = Refusal(
    title="an EDM2 network of latent codes",
    recognise=lambda content: _class(content.at("encoder")) == "StabilityVAEEncoder",
    why="a prior must denoise images, and the noise of an image is no noise of its code; those for "
    "64 x 64 pixels are of images",
)
GAN = Refusal(
    title="a generative adversarial network of NVlabs",
    recognise=lambda content: _class(content.at("G_ema")) is not None,
    why="it makes images and denoises none",
)
