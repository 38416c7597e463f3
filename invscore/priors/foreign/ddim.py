"""Checkpoints of DDIM's authors: of their training, or the weights alone."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from invscore.priors.foreign import ho_unets, schedules
from invscore.priors.foreign.bare import network_weights
from invscore.priors.foreign.containers import Content
from invscore.priors.foreign.facts import Facts
from invscore.priors.foreign.family import Family, choose_weights, is_weights, without_prefix
from invscore.priors.foreign.ho_unets import DDIM
from invscore.priors.foreign.recipe import Recipe
from invscore.priors.foreign.translate import translate

SIGN = "temb.dense.0.weight"


def recognise(content: Content) -> bool:
    if content.kind == "folder":
        return False
    return any(found is not None and SIGN in found for found in _weights(content))


def read(content: Content, facts: Facts) -> Recipe:
    """Recipe of a checkpoint of DDIM: noise is predicted, on the linear schedule of 1000 steps."""
    averaged, raw = _weights(content)
    weights, which = choose_weights(facts, averaged, raw)
    if averaged is None and not isinstance(content.data, list):
        which = "those of the file"
    network = ho_unets.network(weights, DDIM)
    table = {"linear": schedules.linear, "cosine": schedules.cosine}[
        facts.usual("schedule", "linear", ("linear", "cosine"))
    ]()
    return Recipe(
        network=network,
        weights=translate(network, weights, ho_unets.names(network, DDIM)),
        diffusion={"predicts": "epsilon", "alphas_cumprod": table.tolist()},
        prior={
            "channels": network["channels"],
            "range": (-1.0, 1.0),
            "multiple": 2 ** (len(network["down"]) - 1),
        },
        facts={"weights": which},
    )


def _weights(content: Content) -> tuple[Mapping[str, Tensor] | None, Mapping[str, Tensor] | None]:
    """Averaged and plain weights, of [model, optimiser, epoch, step, average] or elsewhere."""
    if not isinstance(content.data, list):
        return network_weights(content, SIGN)
    found = [content.at(4), content.at(0)]
    averaged, raw = ((without_prefix(w, "module.") or w) if is_weights(w) else None for w in found)
    return averaged, raw


FAMILY = Family(
    name="ddim",
    title="a DDIM checkpoint",
    recognise=recognise,
    read=read,
    facts={
        "schedule": "linear, as all of theirs, or cosine",
        "ema": "false for the weights that are not averaged",
    },
    source="ermongroup/ddim",
)
