"""The former place of ``tempering``, now in ``invscore.methods.common``."""

from __future__ import annotations

import warnings

from invscore.methods.common.tempering import mean_variance, squared_norm, tempering

__all__ = ["mean_variance", "squared_norm", "tempering"]

warnings.warn(
    "invscore.methods.tempering is now invscore.methods.common.tempering",
    FutureWarning,
    stacklevel=2,
)
