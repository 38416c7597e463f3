"""Weights of PnP-Flow: a velocity along straight paths from noise, at time 0, to images, at 1."""

from __future__ import annotations

from invscore.priors.foreign import ho_unets
from invscore.priors.foreign.bare import network_weights
from invscore.priors.foreign.containers import Content
from invscore.priors.foreign.facts import Facts
from invscore.priors.foreign.family import Family, choose_weights
from invscore.priors.foreign.ho_unets import PNP_FLOW
from invscore.priors.foreign.recipe import Recipe
from invscore.priors.foreign.translate import translate

SIGN = "temb_net.main.0.weight"


def recognise(content: Content) -> bool:
    return content.kind != "folder" and network_weights(content, SIGN) != (None, None)


def read(content: Content, facts: Facts) -> Recipe:
    why = "the same network is trained as a flow and as the potential of a gradient step"
    facts.need("predicts", why, ("flow",))
    averaged, raw = network_weights(content, SIGN)
    weights, which = choose_weights(facts, averaged, raw)
    network = ho_unets.network(weights, PNP_FLOW)
    return Recipe(
        network=network,
        weights=translate(network, weights, ho_unets.names(network, PNP_FLOW)),
        diffusion={"predicts": "flow", "time": "data"},
        prior={
            "channels": network["channels"],
            "range": (-1.0, 1.0),
            "multiple": 2 ** (len(network["down"]) - 1),
            "sigma_min": 5e-4,
            "sigma_max": 500.0,
        },
        facts={"weights": "those of the file" if averaged is None else which},
    )


FAMILY = Family(
    name="pnp-flow",
    title="a PnP-Flow checkpoint",
    recognise=recognise,
    read=read,
    facts={
        "predicts": "flow: a gradient-step denoiser has weights of the same names",
        "ema": "false for the weights that are not averaged, where a file has both",
    },
    source="annegnx/PnP-Flow",
)
