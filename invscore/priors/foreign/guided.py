"""Bare weights of guided-diffusion, improved-diffusion, consistency_models, flows on their UNet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from invscore.priors.foreign import guided_unet, schedules
from invscore.priors.foreign.bare import network_weights
from invscore.priors.foreign.containers import Content
from invscore.priors.foreign.facts import Facts, MissingFact
from invscore.priors.foreign.family import (
    Family,
    Refusal,
    choose_weights,
    is_weights,
    told_class,
)
from invscore.priors.foreign.recipe import Recipe
from invscore.priors.foreign.translate import translate

SIGN = "input_blocks.0.0.weight"


@dataclass(frozen=True)
class Preset:
    """What the authors of a checkpoint say of it and the file does not.

    ``width`` and ``levels`` are those of its network, to see that it is the one. ``head``: channels
    of a head, or ``heads``. ``order``: ``legacy``, query, key and value of each head in turn, or
    ``new``. ``schedule`` of ``steps`` times; ``rescaled``: the network is told times up to 1000.
    """

    size: int
    width: int
    levels: int
    head: int | None = None
    heads: int | None = None
    order: str = "legacy"
    predicts: str = "epsilon"
    schedule: str = "linear"
    steps: int = 1000
    rescaled: bool = False


PRESETS = {
    "ffhq-256": Preset(256, 128, 6, head=64),
    "imagenet-64": Preset(64, 192, 4, head=64, order="new", schedule="cosine"),
    "imagenet-128": Preset(128, 256, 5, heads=4),
    "imagenet-256": Preset(256, 256, 6, head=64),
    "imagenet-512": Preset(512, 256, 7, head=64),
    "lsun-256": Preset(256, 256, 6, head=64),
    "improved-cifar-10": Preset(32, 128, 4, heads=4, schedule="cosine", steps=4000, rescaled=True),
    "improved-imagenet-64": Preset(
        64, 128, 4, heads=4, schedule="cosine", steps=4000, rescaled=True
    ),
    "improved-imagenet-64-classes": Preset(64, 192, 4, heads=4, schedule="cosine", steps=4000),
    "improved-lsun-256": Preset(256, 128, 6, heads=1),
    "edm-imagenet-64": Preset(64, 192, 4, head=64, order="new", predicts="edm"),
    "edm-lsun-256": Preset(256, 256, 6, head=64, order="new", predicts="edm"),
    "cfm-cifar-10": Preset(32, 128, 4, head=64, predicts="flow"),
}
"""Published checkpoints, by the flags in their authors' READMEs and in DPS' configuration
(ffhq-256)."""

LARGEST = 100_000
"""Largest number of steps, heads or channels that is accepted."""

PREDICTS = ("epsilon", "x0", "v", "edm", "flow")


def recognise(content: Content) -> bool:
    return content.kind != "folder" and network_weights(content, SIGN) != (None, None)


def read(content: Content, facts: Facts) -> Recipe:
    """Widths, attention, classes and learned variances follow from the shapes; the rest is asked.

    Of a file of training, such as torchcfm's, the averaged weights are taken.
    """
    averaged, raw = network_weights(content, SIGN)
    weights, which = choose_weights(facts, averaged, raw)
    if averaged is None:
        named = "ema" in content.path.stem.lower()
        which = "EMA, as the name of the file says" if named else "those of the file"
    said = _preset(facts, fused=weights["middle_block.1.qkv.weight"].ndim == 4)
    network = guided_unet.network(weights, _heads(said), said.order == "legacy")
    _require_preset(facts, said, network)
    channels, given = network["channels"], network["out"]
    if given not in (channels, 2 * channels):
        raise ValueError(
            f"the network takes {channels} channels and gives {given}: an upsampler is told "
            "another image, and a prior is not"
        )
    diffusion, levels = _diffusion(said)
    if (classes := network["embedding"]["classes"]) is not None:
        diffusion |= told_class(facts, classes)
    return Recipe(
        network=network,
        weights=translate(network, weights, guided_unet.names(network)),
        diffusion=diffusion,
        prior={
            "channels": channels,
            "range": (-1.0, 1.0),
            "multiple": 2 ** (len(network["down"]) - 1),
            **levels,
        },
        facts={"weights": which, "trained at": said.size or None},
    )


def _preset(facts: Facts, *, fused: bool) -> Preset:
    """What the user says, by one name or fact by fact. ``fused``: the one convolution for queries,
    keys and values of consistency_models, whose order is known."""
    name = facts.choose("preset", None, (None, *PRESETS))
    if name is not None:
        return PRESETS[name]
    head, heads = (
        None if facts.get(fact) is None else facts.whole(fact, 1, 1, LARGEST)
        for fact in ("head_channels", "heads")
    )
    if (head is None) == (heads is None):
        raise MissingFact(
            f"`preset` must be given, one of {', '.join(PRESETS)}: weights alone tell neither "
            "heads nor schedule; or, of a network of your own, `head_channels` or `heads`, "
            f"`order`, `predicts`, `schedule` ({facts.name})"
        )
    order = "new"
    if heads != 1 and not fused:
        why = "queries, keys and values of several heads are kept in one of two orders"
        order = facts.need("order", why, ("legacy", "new"))
    predicts = facts.need("predicts", "weights alone do not tell", PREDICTS)
    own: dict[str, Any] = {}
    if predicts not in ("edm", "flow"):
        own["schedule"] = facts.need("schedule", "weights alone do not tell", ("linear", "cosine"))
        own["steps"] = facts.whole("steps", 1000, 2, LARGEST)
        if own["steps"] != 1000:
            why = "with other than 1000 steps the network is told them as they are, or up to 1000"
            own["rescaled"] = facts.need("rescaled", why, (True, False))
    return Preset(0, 0, 0, head=head, heads=heads, order=order, predicts=predicts, **own)


def _heads(said: Preset) -> guided_unet.Heads:
    def heads(width: int) -> int:
        count = said.heads if said.head is None else width // said.head
        if not count or width % count or (said.head is not None and width % said.head):
            name = "heads" if said.head is None else "head_channels"
            raise ValueError(f"`{name}` must divide {width}, got {said.heads or said.head}")
        return count

    return heads


def _require_preset(facts: Facts, said: Preset, network: Mapping[str, Any]) -> None:
    found = network["time_width"], len(network["down"])
    if said.size and found != (said.width, said.levels):
        raise ValueError(
            f"`preset` must be that of a network of width {found[0]} with {found[1]} resolutions, "
            f"got {facts.get('preset')!r} of {said.width} with {said.levels}"
        )


def _diffusion(said: Preset) -> tuple[dict[str, Any], dict[str, float]]:
    """Options of ``Diffusion``, and the levels where no table has them."""
    if said.predicts == "edm":  # as consistency_models trains its teachers
        clock = {"predicts": "edm", "sigma_data": 0.5, "time": "log", "time_scale": 250.0}
        return clock, {"sigma_min": 0.001, "sigma_max": 40.0}
    if said.predicts == "flow":  # time runs from the noise, 0, to the image, 1
        return {"predicts": "flow", "time": "data"}, {"sigma_min": 5e-4, "sigma_max": 500.0}
    table = {"linear": _linear, "cosine": schedules.cosine}[said.schedule](said.steps)
    scale = 1000 / said.steps if said.rescaled else 1.0
    return {
        "predicts": said.predicts,
        "alphas_cumprod": table.tolist(),
        "time_scale": scale,
    }, {}


def _linear(steps: int) -> Tensor:
    """The linear schedule of 1000 steps in other ones: every beta times 1000 / steps."""
    return schedules.linear(steps, 0.1 / steps, 20 / steps)


FAMILY = Family(
    name="guided-diffusion",
    title="a guided-diffusion checkpoint",
    recognise=recognise,
    read=read,
    facts={
        "preset": f"which network of its authors it is: {', '.join(PRESETS)}",
        "head_channels": "channels of a head of the attention, or",
        "heads": "how many heads there are",
        "order": "legacy or new (use_new_attention_order), where there are several heads",
        "predicts": "epsilon, x0, v, edm (a consistency model's teacher; one that was distilled "
        "gives a sample and no mean) or flow (time 1 at the image)",
        "schedule": "linear or cosine",
        "steps": "of the schedule, 1000",
        "rescaled": "whether other than 1000 steps are told as times up to 1000",
        "class_label": "of a network with classes; null for none of them",
        "ema": "false for the weights that are not averaged, where a file has both",
    },
    source="openai/guided-diffusion",
)

CLASSIFIER = Refusal(
    title="a classifier of guided-diffusion",
    recognise=lambda content: (
        is_weights(content.data)
        and SIGN in content.data
        and not any(name.startswith("output_blocks.") for name in content.data)
    ),
    why="it tells classes apart and denoises nothing: the diffusion model beside it is the prior",
)
