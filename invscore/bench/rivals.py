"""BM3D, the best known denoiser without learning, on gray, colour and complex images.

The package ``bm3d`` 4.0 with its profile ``np``; noise levels are standard deviations in the units
of the image, the same in every channel. Colours are denoised in its opponent space.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

Rival = Callable[[Tensor, float], dict[str, Tensor]]
"""Denoised versions of one noisy image (1, c, h, w) by name; the best counts."""


def require_bm3d() -> None:
    """Raise ``ValueError`` where the package ``bm3d`` is not installed."""
    try:
        import bm3d  # noqa: F401
    except ImportError as error:
        raise ValueError(
            "the comparison needs the package bm3d: pip install 'invscore[bench]'"
        ) from error


def gray(noisy: Tensor, sigma: float) -> dict[str, Tensor]:
    """One channel."""
    from bm3d import bm3d

    return {"bm3d": torch.from_numpy(bm3d(noisy[0, 0].numpy(), sigma)).float()[None, None]}


def colour(noisy: Tensor, sigma: float) -> dict[str, Tensor]:
    """Three channels, blocks matched by luminance."""
    from bm3d import bm3d_rgb

    found = torch.from_numpy(bm3d_rgb(noisy[0].movedim(0, 2).numpy(), sigma))
    return {"bm3d": found.float().movedim(2, 0)[None]}


def complex_valued(noisy: Tensor, sigma: float) -> dict[str, Tensor]:
    """The magnitude alone, and the real and the imaginary part, each for itself.

    Where the image is bright, its magnitude has noise of about ``sigma``.
    """
    parts = [gray(part, sigma)["bm3d"] for part in (noisy.real, noisy.imag)]
    return {"magnitude": gray(noisy.abs(), sigma)["bm3d"], "parts": torch.complex(*parts)}
