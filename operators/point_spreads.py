"""Point spreads of optics: diffraction and seeing, float64, (height, width), with sum one."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from invscore.operators.kernels import mean_over_pixels, require_pixels

FIRST_ZERO = 3.8317059702075123
"""The first zero of the Bessel function J1 above 0."""
OUTSIDE = 0.02
"""Share of the light that falls beyond a kernel."""
RINGS = 2 / (math.pi * FIRST_ZERO * OUTSIDE)
"""Radii of the first dark ring beyond which that share is: ``2 / (pi v)`` lie beyond v."""
FINE = 16
"""Places at which an intensity is taken along its own width, and at most along a pixel."""


def airy_shape(radius: float) -> tuple[int, int]:
    """The shape of the kernel of an Airy pattern whose first dark ring has this ``radius``."""
    require_pixels("radius", radius)
    side = 2 * math.ceil(RINGS * radius) + 1
    return side, side


def airy_kernel(radius: float, obstruction: float = 0.0) -> Tensor:
    """The Airy pattern of a round aperture, averaged over each pixel (Born & Wolf, Sec. 8.5.2).

    ``radius``: of the first dark ring of the whole aperture in pixels, ``0.61 wavelength / NA`` of
    a microscope, ``1.22 wavelength focal_length / diameter`` of a telescope or a camera, over the
    size of a pixel. ``obstruction``: diameter of a round obstacle in its middle, a share of the
    aperture's. 98 % of the light fall on the kernel. Raises ``ValueError`` for a radius that is not
    above 0, and an obstruction outside [0, 1).

        >>> float(airy_kernel(2.5).sum())
        1.0
    """
    if not 0 <= obstruction < 1:
        raise ValueError(f"`obstruction` must lie in [0, 1), got {obstruction:g}")

    def intensity(r: Tensor) -> Tensor:
        v = FIRST_ZERO / radius * r
        hidden = obstruction**2 * _amplitude(obstruction * v)
        return ((_amplitude(v) - hidden) / (1 - obstruction**2)) ** 2

    return _round(intensity, airy_shape(radius), radius)


def moffat_shape(fwhm: float, beta: float) -> tuple[int, int]:
    """The shape of the kernel of a Moffat profile."""
    require_pixels("fwhm", fwhm)
    if not 1.5 <= beta <= 100:
        raise ValueError(f"`beta` must lie in [1.5, 100], got {beta:g}")
    beyond = (OUTSIDE ** (1 / (1 - beta)) - 1) ** 0.5
    side = 2 * math.ceil(beyond * _moffat_scale(fwhm, beta)) + 1
    return side, side


def moffat_kernel(fwhm: float, beta: float = 4.765) -> Tensor:
    """Stars behind the atmosphere, averaged over each pixel: ``(1 + (r / a)^2)^-beta``.

    ``fwhm``: full width at half maximum in pixels. ``beta``: 4.765 by the theory of turbulence,
    2.5 to 4 of most telescopes (Moffat 1969; Trujillo et al. 2001). 98 % of the light fall on the
    kernel. Raises ``ValueError`` for a width that is not above 0, and a beta outside [1.5, 100]:
    wings of 1 and less would hold light without end.

        >>> float(moffat_kernel(3.0).sum())
        1.0
    """
    shape = moffat_shape(fwhm, beta)
    scale = _moffat_scale(fwhm, beta)
    return _round(lambda r: (1 + (r / scale) ** 2) ** -beta, shape, fwhm)


def _moffat_scale(fwhm: float, beta: float) -> float:
    return fwhm / 2 / (2 ** (1 / beta) - 1) ** 0.5


def _amplitude(v: Tensor) -> Tensor:
    """``2 J1(v) / v``."""
    from scipy.special import j1

    safe = v.clamp_min(1e-6)
    return torch.as_tensor(2 * j1(safe.numpy())) / safe


def _round(intensity: Callable[[Tensor], Tensor], shape: tuple[int, int], width: float) -> Tensor:
    """The means over pixels of an intensity of the radius alone that changes within ``width``."""
    parts = min(max(math.ceil(FINE / width), 2), FINE)
    return mean_over_pixels(lambda y, x: intensity((y**2 + x**2).sqrt()), shape, parts)
