"""DRUNet of KAIR, DPIR and deepinv, and the gradient-step denoiser that is made of one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from invscore.priors.foreign.bare import bare_weights
from invscore.priors.foreign.containers import Content
from invscore.priors.foreign.facts import Facts
from invscore.priors.foreign.family import Family
from invscore.priors.foreign.recipe import Recipe

GRADIENT_STEP = "student_grad.model."
HIGHEST = 50 / 255  # Zhang et al. 2021, Sec. IV-B; Hurault et al. 2022, Sec. 5.1


def recognise(content: Content) -> bool:
    weights = bare_weights(content) or {}
    return any(f"{p}m_head.weight" in weights for p in ("", GRADIENT_STEP))


def read(content: Content, facts: Facts) -> Recipe:
    """The network that is told the noise level as a channel, or a blind one, by its shapes."""
    weights = bare_weights(content)
    assert weights is not None
    # A sequence of one block is that block to the code that writes the files.
    weights = {n.replace("m_body.res.", "m_body.0.res."): w for n, w in weights.items()}
    prefix = "" if "m_head.weight" in weights else GRADIENT_STEP
    network = {"name": "gradient-step-drunet" if prefix else "drunet", **_shape(weights, prefix)}
    levels: dict[str, float] = {"sigma_min": 1 / 255, "sigma_max": HIGHEST}
    if network["blind"]:
        levels = trained_levels(facts)
    return Recipe(
        network=network,
        weights=weights,
        diffusion=None,
        prior={"channels": network["channels"], "range": (0.0, 1.0), "multiple": 8, **levels},
        facts={"weights": "those of the file"},
    )


def trained_levels(facts: Facts) -> dict[str, float]:
    """The levels of a network that is not told any: one ``level``, or ``sigma_min`` to
    ``sigma_max``."""
    if facts.get("sigma_min") is not None and facts.get("sigma_max") is not None:
        why = "the network is blind"
        return {name: facts.need_positive(name, why) for name in ("sigma_min", "sigma_max")}
    level = facts.need_positive(
        "level",
        "the network is blind, and the file does not tell the one noise level that it was trained "
        "at, in units of images in [0, 1], as 0.098 is 25 of 255 (sigma_min and sigma_max, where "
        "it was several)",
        most=1,
    )
    return {"sigma_min": level, "sigma_max": level}


def _shape(weights: Mapping[str, Tensor], prefix: str) -> dict[str, Any]:
    """Widths, blocks and channels. Raises ``ValueError`` for a network of another form."""

    def at(name: str) -> Tensor:
        if prefix + name not in weights:
            raise ValueError(f"the network has no {prefix + name}, as a DRUNet has")
        return weights[prefix + name]

    blocks = 0
    while f"{prefix}m_body.{blocks}.res.0.weight" in weights:
        blocks += 1
    ends = [at(f"m_down{level}.{blocks}.weight") for level in (1, 2, 3)]
    head, tail = at("m_head.weight"), at("m_tail.weight")
    inputs, channels = head.shape[1], len(tail)
    if inputs - channels not in (0, 1):
        raise ValueError(
            f"the network takes {inputs} channels and gives {channels}: a DRUNet takes as many, "
            "or one more for the noise level"
        )
    return {
        "channels": channels,
        "widths": [len(head), *(len(end) for end in ends)],
        "blocks": blocks,
        "blind": inputs == channels,
        "bias": f"{prefix}m_head.bias" in weights,
    }


FAMILY = Family(
    name="drunet",
    title="a DRUNet",
    recognise=recognise,
    read=read,
    facts={"level": "the noise level of a blind network that was trained at one"},
    source="cszn/KAIR",
)
