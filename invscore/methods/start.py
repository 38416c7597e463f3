"""The former place of ``begin``, now ``invscore.methods.common.initial_guess``."""

from __future__ import annotations

import warnings

from invscore.methods.common.initial_guess import initial_guess as begin

__all__ = ["begin"]

warnings.warn(
    "invscore.methods.start.begin is now invscore.methods.common.initial_guess.initial_guess",
    FutureWarning,
    stacklevel=2,
)
