"""The versions of what computes."""

from __future__ import annotations

import platform

import numpy as np
import torch

from invscore import __version__


def versions() -> dict[str, str]:
    """Of invscore and of what it stands on."""
    return {
        "invscore": __version__,
        "torch": torch.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
    }
