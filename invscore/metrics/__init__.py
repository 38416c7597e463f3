"""Metrics of reconstructions whose truth is known: one number an image, (b,)."""

from invscore.metrics.frechet import fid, fid_unavailable, frechet_distance
from invscore.metrics.intervals import coverage, width
from invscore.metrics.perceptual import lpips, lpips_unavailable
from invscore.metrics.probability_score import crps
from invscore.metrics.quality import SSIM_WINDOW, psnr, ssim

__all__ = [
    "SSIM_WINDOW",
    "coverage",
    "crps",
    "fid",
    "fid_unavailable",
    "frechet_distance",
    "lpips",
    "lpips_unavailable",
    "psnr",
    "ssim",
    "width",
]
