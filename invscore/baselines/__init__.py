"""Baselines: what a sceptic asks a learned prior to beat, and other people's implementations."""

from invscore.baselines import (
    pseudo_inverse,
    total_variation,
    wavelet,
    wiener,
)
from invscore.baselines.base import BASELINES, BaselineInfo, get_baseline

__all__ = [
    "BASELINES",
    "BaselineInfo",
    "get_baseline",
    "pseudo_inverse",
    "total_variation",
    "wavelet",
    "wiener",
]
