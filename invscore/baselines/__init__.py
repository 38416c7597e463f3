"""Baselines: what a sceptic asks a learned prior to beat, and other people's implementations."""

from invscore.baselines import (
    deepinv_ddrm,
    deepinv_diffpir,
    deepinv_dpir,
    deepinv_dps,
    denoiser,
    pnp_bm3d,
    pseudo_inverse,
    total_variation,
    wavelet,
    wiener,
)
from invscore.baselines.base import BASELINES, BaselineInfo, get_baseline

__all__ = [
    "BASELINES",
    "BaselineInfo",
    "deepinv_ddrm",
    "deepinv_diffpir",
    "deepinv_dpir",
    "deepinv_dps",
    "denoiser",
    "get_baseline",
    "pnp_bm3d",
    "pseudo_inverse",
    "total_variation",
    "wavelet",
    "wiener",
]
