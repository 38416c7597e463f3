"""Laws of noise of one's own: from a Python file or an installed package."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from invscore import plugins
from invscore.noise import Noise
from invscore.noise.check import require_noise
from invscore.options.words import kind_of
from invscore.tasks.calls import call_own


def load_noise(address: str, options: Mapping[str, Any]) -> Noise:
    """The law of noise that a plug-in is, see ``invscore.plugins``, or makes of the ``options``.

    Raises ``ValueError`` where there is no such plug-in or this does not give a ``Noise`` that
    keeps the contract.
    """
    found = plugins.find_plugin("noise", address)
    place, _, name = address.rpartition(":")
    what = f"{name!r} in {place!r}" if place else f"noise {name!r}"
    if isinstance(found, Noise):
        if options:
            raise ValueError(f"{what} is an instance: it takes no options")
        return found
    if not (inspect.isclass(found) or inspect.isroutine(found)):
        raise ValueError(
            f"{what} must be a Noise, or a class or function that makes one, got {kind_of(found)}"
        )
    if inspect.isclass(found) and inspect.isabstract(found):
        methods = found.__abstractmethods__  # type: ignore[attr-defined]
        raise ValueError(f"{what} is a law of noise without {', '.join(sorted(methods))}")
    made = call_own(found, what, options)
    if not isinstance(made, Noise):
        raise ValueError(f"{what} must give a Noise, got {kind_of(made)}")
    require_noise(made, what)
    return made
