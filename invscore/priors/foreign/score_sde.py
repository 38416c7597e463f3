"""NCSN++ and DDPM++ of score_sde, and of codes that grew from it such as score-MRI."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from invscore.priors.foreign import schedules
from invscore.priors.foreign.bare import bare_weights
from invscore.priors.foreign.containers import Content
from invscore.priors.foreign.facts import Facts
from invscore.priors.foreign.family import Family, choose_weights, is_weights, without_prefix
from invscore.priors.foreign.preconditioning import vp_schedule
from invscore.priors.foreign.recipe import Recipe
from invscore.priors.foreign.score_sde_layout import Layout, kind, modules

SDES = ("ve", "vp", "subvp", "ddpm")
ATTENTION = 16  # the only resolution with attention in every published configuration
LIST = "all_modules."


def recognise(content: Content) -> bool:
    return _plain(content) is not None


def read(content: Content, facts: Facts) -> Recipe:
    """The state of training with its averaged weights, or a bare network.

    Fourier features of the noise level are those of the VE SDE, which is not asked for then.
    """
    plain = _plain(content)
    assert plain is not None
    shadow = content.at("ema", "shadow_params")
    averaged = None if shadow is None else _averaged(plain, shadow)
    weights, called = choose_weights(facts, averaged, plain)
    listed = modules({name: w for name, w in weights.items() if name.startswith(LIST)})
    if kind(listed[0]) == "frequencies":
        sde = facts.choose("sde", "ve", ("ve",))
    else:
        sde = facts.need(
            "sde", "networks with sines of the time serve several, and the file does not tell "
            "which (ddpm: vp with 1000 discrete times)", SDES[1:],
        )  # fmt: skip
    kinds = [kind(module) for module in listed]
    size = _size(kinds, facts)
    fir = facts.choose("fir", "fed" in kinds or "combined" in kinds, (True, False))
    layout = Layout(listed, size, fir)
    network, diffusion, prior = _process(sde, layout.network, plain, facts)
    return Recipe(
        network=network,
        weights=layout.weights,
        diffusion=diffusion,
        prior={"channels": network["in_channels"], "size": size, **prior},
        facts={"weights": called if averaged is not None else "those of the file", "sde": sde},
    )


def _plain(content: Content) -> dict[str, Tensor] | None:
    """The weights that are not averaged, without the prefix of a wrapper for several devices."""
    weights = content.at("model")
    weights = weights if is_weights(weights) else bare_weights(content)
    if weights is None:
        return None
    own = without_prefix(weights, "module.") or dict(weights)
    return own if any(name.startswith(LIST) for name in own) else None


def _averaged(plain: Mapping[str, Tensor], shadow: Any) -> dict[str, Tensor]:
    """The averaged weights by name: a list in the order of the network's parameters, without its
    frequencies, which are frozen, and without its buffers.

    Raises ``ValueError`` where the list is of another length or has other shapes.
    """
    names = [n for n in plain if n.startswith(LIST) and not _frozen(n)]
    if len(shadow) != len(names):
        raise ValueError(
            f"ema.shadow_params has {len(shadow)} tensors for {len(names)} trained weights"
        )
    for name, weight in zip(names, shadow, strict=True):
        if weight.shape != plain[name].shape:
            raise ValueError(
                f"ema.shadow_params has the shape {tuple(weight.shape)} for {name}, "
                f"{tuple(plain[name].shape)}"
            )
    frozen = {name: w for name, w in plain.items() if _frozen(name)}
    return {**frozen, **dict(zip(names, shadow, strict=True))}


def _frozen(name: str) -> bool:
    return name == f"{LIST}0.W"


def _size(kinds: list[str], facts: Facts) -> int:
    """The trained size: told, or by the place of the first attention, which is at 16 x 16 pixels
    unless it is the only one, that of the middle."""
    if kinds.count("attention") > 1:
        halvings = kinds[: kinds.index("attention")].count("resampling")
        size = facts.get("size", ATTENTION << halvings)
    else:
        why = "the network has no attention whose place tells the size of its images"
        size = facts.need("size", why)
    if isinstance(size, bool) or not isinstance(size, int) or size < 1:
        raise ValueError(f"`size` must be a whole number, for images are square, got {size!r}")
    return size


def _process(
    sde: str, network: dict[str, Any], plain: Mapping[str, Tensor], facts: Facts
) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    if sde == "ve":
        levels = plain.get("sigmas")
        if levels is None:
            why = "the file has no sigmas, the levels of its noise"
            low, high = 0.01, facts.need_positive("sigma_max", why)
        else:
            low, high = float(levels.min()), float(levels.max())
        prior = {"range": (0.0, 1.0), "sigma_min": low, "sigma_max": high}
        return {**network, "name": "score-unet"}, {"predicts": "score", "time": "sigma"}, prior
    diffusion: dict[str, Any] = {"predicts": "epsilon"}
    if sde == "ddpm":
        diffusion["alphas_cumprod"] = schedules.linear(1000, 1e-4, 0.02).tolist()
    else:
        diffusion |= vp_schedule(0.1, 20.0, 1e-5 if sde == "vp" else 1e-3)
        if sde == "subvp":
            diffusion["sub"] = True
    return network, diffusion, {"range": (-1.0, 1.0)}


FAMILY = Family(
    name="score-sde",
    title="a score_sde checkpoint (NCSN++, DDPM++)",
    recognise=recognise,
    read=read,
    facts={
        "sde": "vp, subvp or ddpm, of a network with sines of the time",
        "size": "of the images, of a network without attention at 16 x 16 pixels",
        "sigma_max": "of a VE network without sigmas in its file",
        "fir": "whether images are resampled by the filter 1 3 3 1, where that is not plain",
        "ema": "false for the weights that are not averaged",
    },
    source="yang-song/score_sde_pytorch",
)
