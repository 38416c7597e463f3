"""BM3D, the best known denoiser without learning, on gray, colour and complex images."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from invscore.baselines.base import require_package
from invscore.baselines.bm3d_prior import denoised

Reference = Callable[[Tensor, float], dict[str, Tensor]]
"""Denoised versions of one noisy image (1, c, h, w) by name; the best counts."""


def require_bm3d() -> None:
    """Raise ``ValueError`` where the package ``bm3d`` is not installed."""
    require_package("bm3d", "the comparison")


def real(noisy: Tensor, sigma: float) -> dict[str, Tensor]:
    """BM3D of gray images or of three colours."""
    return {"bm3d": denoised(noisy[0], sigma)[None]}


def complex_valued(noisy: Tensor, sigma: float) -> dict[str, Tensor]:
    """The magnitude alone, and the real and the imaginary part, each for itself.

    Where the image is bright, its magnitude has noise of about ``sigma``.
    """
    return {
        "magnitude": denoised(noisy[0].abs(), sigma)[None],
        "parts": denoised(noisy[0], sigma)[None],
    }
