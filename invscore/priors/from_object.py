"""Objects in memory that someone takes for a prior: made into one, or told how."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from torch import nn

from invscore.priors.base import Prior
from invscore.priors.denoiser import DenoiserPrior
from invscore.priors.diffusion import DiffusionPrior

DENOISER = "DenoiserPrior(D, channels=, range=, sigma_min=, sigma_max=)"
DIFFUSION = "DiffusionPrior(network, channels=, predicts=, alphas_cumprod=)"
FOREIGN = {
    "deepinv": "a denoiser D(x, sigma) on [0, 1]: DenoiserPrior(D, channels=3, sigma_min=0.01, "
    "sigma_max=0.2), with the levels that it was trained for",
    "diffusers": "a network that predicts noise: DiffusionPrior(network, channels=3, "
    "predicts='epsilon', alphas_cumprod=scheduler.alphas_cumprod), or the folder that "
    "save_pretrained writes",
    "azula": "a denoiser with a schedule of its own: DenoiserPrior(lambda z, s: ..., channels=, "
    "sigma_min=, sigma_max=) around its mean, told the noise level of z",
    "monai": f"a network that predicts noise: {DIFFUSION}",
    "denoising_diffusion_pytorch": f"a network that predicts noise: {DIFFUSION}, or its checkpoint",
}
"""Objects of other libraries, by the library: what they are, and what makes a prior of them."""


OF_NETWORKS = ("channels", "predicts")
"""Facts that a class also takes where it makes a denoiser or a network instead of a prior."""

PLAIN = {str: "a string", dict: "a mapping", type(None): "None"}
"""Everyday names of Python's types, for messages."""


def foreign_advice(thing: object) -> str | None:
    """Advice on how ``thing``, of another library, becomes a prior; ``None`` for others."""
    for kind in type(thing).__mro__:
        library = kind.__module__.split(".")[0]
        if library in FOREIGN:
            return f"a {type(thing).__name__} of {library}, {FOREIGN[library]}"
    return None


def as_prior(thing: Any, facts: Mapping[str, Any], name: str | None = None) -> Prior:
    """``thing`` if it is a prior, or the prior that ``facts`` make of it.

    With the fact ``predicts`` it is the network of a ``DiffusionPrior``, with ``channels`` alone
    the D of a ``DenoiserPrior``. A class, or a function that makes a prior, is called first with
    those of the ``facts`` that it takes. ``name`` is what the user calls it.

    Raises ``ValueError`` that says how it becomes one.
    """
    given = f"`prior` {name!r}" if name is not None else "`prior`"
    takes = f"{given} is a prior already and takes no facts"
    if isinstance(thing, type) or (inspect.isfunction(thing) and _is_factory(thing, facts)):
        own = _own(thing, facts)
        if options := ", ".join(_options(thing)):
            takes = f"{given} takes {options}"
        thing = _made(thing, own, given)
        again = () if isinstance(thing, Prior) else OF_NETWORKS
        facts = {fact: value for fact, value in facts.items() if fact not in own or fact in again}
    if isinstance(thing, Prior):
        if facts:
            raise ValueError(f"{takes}, got {', '.join(facts)}")
        return thing
    if not callable(thing):
        raise ValueError(f"{given} must be a prior, a denoiser or a network, got {_called(thing)}")
    if "predicts" in facts:
        return DiffusionPrior(thing, **facts)
    if "channels" in facts:
        return DenoiserPrior(thing, **facts)
    advice = foreign_advice(thing)
    if advice is not None:
        raise ValueError(f"{given} is {advice}")
    raise ValueError(
        f"{given} is {_called(thing)}, and what it does is not known: {DENOISER} makes a prior of "
        f"a denoiser D(x, sigma), {DIFFUSION} of a network that predicts noise"
    )


def _called(thing: object) -> str:
    return (
        f"a module {type(thing).__name__}"
        if isinstance(thing, nn.Module)
        else PLAIN.get(type(thing), f"a {type(thing).__name__}")
    )


def _options(function: Callable[..., Any]) -> list[str]:
    """The names of what ``function`` takes by name."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return []
    return [p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]


def _own(function: Callable[..., Any], facts: Mapping[str, Any]) -> dict[str, Any]:
    """The ``facts`` that ``function`` takes."""
    return {name: facts[name] for name in _options(function) if name in facts}


def _is_factory(function: Callable[..., Any], facts: Mapping[str, Any]) -> bool:
    """Whether it can be called with what it takes of ``facts`` and nothing else."""
    try:
        inspect.signature(function).bind(**_own(function, facts))
    except TypeError:
        return False
    return True


def _made(factory: Callable[..., Any], own: Mapping[str, Any], given: str) -> Any:
    """Object that the class or function makes of its ``own`` options."""
    if not _is_factory(factory, own):
        parameters = inspect.signature(factory).parameters.values()
        needed = [p.name for p in parameters if p.default is p.empty and p.name not in own]
        says = ", ".join(f"{name}=..." for name in needed)
        raise ValueError(f"{given} needs {', '.join(needed)}: say so in brackets, ({says})")
    return factory(**own)
