"""Point spreads of diffraction and seeing against their closed forms."""

from __future__ import annotations

import math

import pytest
import torch
from scipy.special import j0, j1
from torch import Tensor

from invscore.operators.point_spreads import airy_kernel, moffat_kernel

F64 = torch.float64
DARK = 3.8317059702075123
"""The first zero of J1."""


def within(kernel: Tensor, radius: float) -> float:
    """The light of the pixels whose centres are within ``radius`` of the middle."""
    t = torch.arange(len(kernel), dtype=F64) - len(kernel) // 2
    return float(kernel[t[:, None] ** 2 + t**2 <= radius**2].sum())


def test_light_of_an_airy_pattern() -> None:
    """Rayleigh: ``1 - J0(v)^2 - J1(v)^2`` within v; 0.838 within the first dark ring."""
    kernel, radius = airy_kernel(12.0), 12.0
    reach = len(kernel) // 2

    def rayleigh(rings: float) -> float:
        return float(1 - j0(DARK * rings) ** 2 - j1(DARK * rings) ** 2)

    assert rayleigh(1) == pytest.approx(0.838, abs=5e-4)
    assert 1 - rayleigh(reach / radius) == pytest.approx(0.02, abs=1e-3)
    whole = within(kernel, reach) / rayleigh(reach / radius)
    for rings in (0.5, 1.0, 2.0, 4.0):
        assert within(kernel, radius * rings) / whole == pytest.approx(rayleigh(rings), abs=4e-3)


@pytest.mark.parametrize("radius", [2.44, 5.0])
def test_diffraction_passes_what_a_round_aperture_does(radius: float) -> None:
    """``2 (acos n - n (1 - n^2)^(1/2)) / pi``, n the frequency over its limit; and a pixel's."""
    kernel, size = airy_kernel(radius), 256
    reach = len(kernel) // 2
    padded = torch.zeros(size, size, dtype=F64)
    padded[: 2 * reach + 1, : 2 * reach + 1] = kernel
    passed = torch.fft.fft2(padded.roll((-reach, -reach), (0, 1))).real[0, : size // 2]
    f = torch.arange(size // 2, dtype=F64) / size
    n = (f * radius * math.pi / DARK).clamp_max(1)
    expected = 2 / math.pi * (n.acos() - n * (1 - n**2).sqrt()) * torch.sinc(f)
    # The light beyond the kernel is of the lowest frequencies.
    scale = passed[20] / expected[20]
    assert 1 < float(scale) < 1.03
    torch.testing.assert_close(passed[6:] / scale, expected[6:], rtol=0, atol=2e-3)


def test_an_obstruction_feeds_the_rings() -> None:
    """At the dark ring of the whole aperture the amplitude is that of the obstacle alone."""
    kernel = airy_kernel(40.0, 0.5)
    middle = len(kernel) // 2
    v = DARK / 2
    expected = (0.25 * 2 * float(j1(v)) / v / 0.75) ** 2
    ratio = float(kernel[middle, middle + 40] / kernel[middle, middle])
    assert ratio == pytest.approx(expected, rel=0.01)


@pytest.mark.parametrize("beta", [2.5, 4.765])
def test_seeing(beta: float) -> None:
    """Half of the maximum at half of the width; ``1 - (1 + (r / a)^2)^(1 - beta)`` within r."""
    kernel, fwhm = moffat_kernel(20.0, beta), 20.0
    middle = len(kernel) // 2
    ratio = float(kernel[middle, middle + 10] / kernel[middle, middle])
    assert ratio == pytest.approx(0.5, abs=0.002)
    scale = fwhm / 2 / (2 ** (1 / beta) - 1) ** 0.5

    def light(r: float) -> float:
        return 1 - (1 + (r / scale) ** 2) ** (1 - beta)

    assert 1 - light(middle) == pytest.approx(0.02, abs=3e-3)
    whole = within(kernel, middle) / light(middle)
    for r in (8.0, 15.0, 25.0):
        assert within(kernel, r) / whole == pytest.approx(light(r), abs=6e-3)


@pytest.mark.parametrize("kernel", [airy_kernel(0.6), airy_kernel(3.1, 0.3), moffat_kernel(0.5)])
def test_kernels_are_symmetric_and_sum_to_one(kernel: Tensor) -> None:
    assert float(kernel.min()) >= 0
    assert float(kernel.sum()) == pytest.approx(1, abs=1e-12)
    for other in (kernel.flip(0), kernel.flip(1), kernel.mT):
        torch.testing.assert_close(kernel, other, rtol=0, atol=1e-14)


def test_a_pixel_averages() -> None:
    """Far below its size, light stays in the pixel where it falls."""
    assert float(moffat_kernel(0.05, 6.0).max()) > 0.999


def test_faults() -> None:
    for value in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(ValueError, match=f"`radius` must be a positive number .*, got {value}"):
            airy_kernel(value)
        with pytest.raises(ValueError, match=f"`fwhm` must be a positive number .*, got {value}"):
            moffat_kernel(value)
    with pytest.raises(ValueError, match=r"`obstruction` must lie in \[0, 1\), got 1"):
        airy_kernel(3.0, 1.0)
    with pytest.raises(ValueError, match=r"`beta` must lie in \[1.5, 100\], got 1"):
        moffat_kernel(3.0, 1.0)
