"""The prior that ``--prior`` names, and what is known of it on stderr."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from invscore.cli.errors import say

if TYPE_CHECKING:
    from invscore.priors import Prior


def open_prior(name: str, device: str, *, check: bool = True) -> Prior:
    """The prior ``name``, on ``device``: one of another code tells its facts.

    With ``check``, what a short test of its denoiser finds is a warning.
    """
    from invscore.priors import DenoiserPrior, load_prior

    prior = load_prior(name, device=device, check=check)
    if isinstance(prior, DenoiserPrior):
        say(f"prior {name}: {tell_facts(prior.facts)}")
    return prior


@lru_cache(maxsize=2)
def known_prior(name: str, device: str) -> Prior:
    """The prior of a worker, which ``open_prior`` has looked at already: loaded once a process."""
    from invscore.priors import load_prior

    return load_prior(name, device=device, check=False)


def tell_facts(facts: dict[str, object]) -> str:
    """Facts in one line, numbers in four digits."""
    return ", ".join(f"{name} {_short(value)}" for name, value in facts.items())


def _short(value: object) -> str:
    if isinstance(value, (list, tuple)):
        return " to ".join(_short(part) for part in value)
    if isinstance(value, float):
        return f"{value:.4g}"
    text = str(value)
    return text[:19] if text.startswith("sha256:") else text
