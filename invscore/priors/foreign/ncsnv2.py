"""NCSNv2 of ermongroup, and of csgm-mri-langevin for complex images of magnetic resonance."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from invscore.priors.foreign.bare import bare_weights
from invscore.priors.foreign.containers import Content
from invscore.priors.foreign.facts import Facts
from invscore.priors.foreign.family import Family, choose_weights, is_weights
from invscore.priors.foreign.recipe import Recipe


def recognise(content: Content) -> bool:
    weights = _plain(content) or {}
    return "begin_conv.weight" in weights and "refine1.crp.convs.0.weight" in weights


def read(content: Content, facts: Facts) -> Recipe:
    """A state of training, a list whose last item are the averaged weights, or bare weights.

    Images of two channels are complex, their magnitude about 1 at its 99th percentile.
    """
    plain = _plain(content)
    assert plain is not None
    last = content.data[-1] if isinstance(content.data, list) and len(content.data) > 1 else None
    averaged = last if is_weights(last) else None
    weights, called = choose_weights(facts, averaged, plain)
    if "normalizer.alpha" not in weights:
        raise ValueError("its normalisation must be InstanceNorm++, as NCSNv2 has")
    if any(name.startswith("res31.") for name in weights):
        stages = 6
    else:
        stages = 5 if any(name.startswith("res5.") for name in weights) else 4
    width, channels = weights["begin_conv.weight"].shape[:2]
    sigmas = plain.get("sigmas")
    levels: dict[str, float] = {}
    if sigmas is not None:
        levels = {"sigma_min": float(sigmas.min()), "sigma_max": float(sigmas.max())}
    else:
        for name in ("sigma_min", "sigma_max"):
            levels[name] = facts.need_positive(name, "the file has no sigmas, its levels of noise")
    complex_ = facts.choose("complex", channels == 2, (True, False) if channels == 2 else (False,))
    return Recipe(
        network={"name": "ncsnv2", "channels": channels, "width": width, "stages": stages},
        weights={name: w for name, w in weights.items() if name != "sigmas"},
        diffusion={"predicts": "score", "time": "sigma"},
        prior={
            "channels": channels // 2 if complex_ else channels,
            "complex": complex_,
            "range": (-1.0, 1.0) if complex_ else (0.0, 1.0),
            "multiple": {4: 2, 5: 4, 6: 8}[stages],
            **levels,
        },
        facts={"weights": called if averaged is not None else "those of the file"},
    )


def _plain(content: Content) -> Mapping[str, Tensor] | None:
    """The weights that are not averaged, without the prefix of a wrapper for several devices."""
    if isinstance(content.data, list) and content.data:
        content = Content(content.path, content.kind, content.data[0])
    return bare_weights(content)


FAMILY = Family(
    name="ncsnv2",
    title="an NCSNv2",
    recognise=recognise,
    read=read,
    facts={
        "complex": "false for images of two channels that are not complex",
        "sigma_min": "of a file without sigmas",
        "sigma_max": "of a file without sigmas",
        "ema": "false for the weights that are not averaged",
    },
    source="ermongroup/ncsnv2",
)
