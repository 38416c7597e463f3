"""Sizes beyond all memory are refused in a sentence, before anything is allocated.

An allocation of so much would be a ``RuntimeError`` of torch, or a ``MemoryError``.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from invscore.operators import (
    MRI,
    Blur,
    CoilMaps,
    CompressedSensing,
    FanBeam,
    Inpainting,
    Lensless,
    Mosaic,
    NonCartesianMRI,
    PhaseRetrieval,
    Slicewise,
    SuperResolution,
    Tomography,
    VolumeBlur,
    from_function,
)
from invscore.operators.coils import birdcage_maps
from invscore.operators.noncartesian import radial_trajectory, spiral_trajectory

IMAGE, LARGE = (1, 32, 32), (1, 10**7, 10**7)
MANY = 10**13
KERNEL = torch.ones(3, 3)

KERNELS: dict[str, Callable[[], object]] = {
    "gaussian": lambda: Blur.gaussian(2.0, IMAGE, size=10**9),
    "motion": lambda: Blur.motion(1e9, 0.0, IMAGE),
    "longer than numbers": lambda: Blur.motion(1e300, 0.0, IMAGE),
    "disk": lambda: Blur.disk(1e9, IMAGE),
    "diffraction": lambda: Blur.airy(1e9, IMAGE),
    "seeing": lambda: Blur.moffat(1e300, IMAGE),
    "shake": lambda: Blur.shake(IMAGE, size=10**9 + 1),
}

IN_MEMORY: dict[str, Callable[[], object]] = {
    "a blur": lambda: Blur.gaussian(2.0, LARGE),
    "a blur, mirrored": lambda: Blur(KERNEL, LARGE, boundary="reflect"),
    "a blur, valid": lambda: Blur(KERNEL, LARGE, boundary="valid"),
    "a blur of volumes": lambda: VolumeBlur(torch.ones(3, 3, 3), (1, 10**5, 10**5, 10**5)),
    "smaller images": lambda: SuperResolution(2, LARGE),
    "holes": lambda: Inpainting.random(LARGE),
    "a box": lambda: Inpainting.box(LARGE, size=4),
    "k-space": lambda: MRI.random(LARGE),
    "mixtures": lambda: CompressedSensing(LARGE),
    "a diffuser": lambda: Lensless(KERNEL, LARGE),
    "a function": lambda: from_function(lambda x: x, LARGE),
    "frequencies": lambda: NonCartesianMRI(radial_trajectory(3, 8), LARGE[1:]),
    "angles": lambda: Tomography(MANY, IMAGE),
    "detectors": lambda: Tomography(10, IMAGE, detectors=MANY),
    "a fan": lambda: FanBeam(MANY, IMAGE, source_distance=9),
    "rays": lambda: FanBeam(10, IMAGE, MANY, source_distance=9),
    "zeros around": lambda: PhaseRetrieval(IMAGE, oversampling=1e9),
    "slices": lambda: Slicewise(Blur(KERNEL, IMAGE), MANY),
    "frames": lambda: CoilMaps(torch.ones(2, 8, 8, dtype=torch.complex64), depth=MANY),
    "coils": lambda: birdcage_maps(MANY, 8, 8),
    "bands": lambda: Mosaic.coded_aperture(torch.ones(8, 8), MANY),
    "a prism": lambda: Mosaic(torch.ones(3, 8, 8), (3, 8, 8), dispersion=MANY),
    "spokes": lambda: radial_trajectory(MANY, 8),
    "samples": lambda: spiral_trajectory(2, MANY, 3.0),
}


@pytest.mark.parametrize("name", KERNELS)
def test_a_kernel_larger_than_the_image(name: str) -> None:
    with pytest.raises(ValueError, match=r"size of the image, \(32, 32\), got \(1?[0-9]{9}"):
        KERNELS[name]()


@pytest.mark.parametrize("name", IN_MEMORY)
def test_what_no_memory_takes(name: str) -> None:
    with pytest.raises(ValueError, match=r"would need .* of memory, .* free"):
        IN_MEMORY[name]()


@pytest.mark.parametrize("sigma", [1e9, 33.0, 0.0, -1.0, float("nan"), float("inf")])
def test_a_gaussian_wider_than_the_image(sigma: float) -> None:
    with pytest.raises(ValueError, match=r"`sigma` must lie in \(0, 32\].*got"):
        Blur.gaussian(sigma, IMAGE)


@pytest.mark.parametrize("factor", [1e9, 10**9, 0, (2, 10**9), (2.0, 2.0)])
def test_a_factor_that_divides_nothing(factor: int) -> None:
    with pytest.raises(ValueError, match=r"`factor` must be a divisor .*got"):
        SuperResolution(factor, IMAGE)
