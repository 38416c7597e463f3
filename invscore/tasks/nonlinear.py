"""Operators by name that are not linear."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from annotated_types import Interval

from invscore.options.ranges import Seed, Share
from invscore.tasks.blurs import Boundary, KernelSide

if TYPE_CHECKING:
    from invscore.operators import Operator

Shape = tuple[int, ...]
Factor = Annotated[float, Interval(gt=0, le=1000)]


def nonlinear_blur(
    in_shape: Shape,
    *,
    size: KernelSide = 61,
    intensity: Share = 0.5,
    exposure: Factor = 1.5,
    seed: Seed = 0,
    kernel: str | None = None,
    boundary: Boundary = "circular",
) -> Operator:
    """A shaken camera, or a kernel file: blur of linear light, saturation, response; nonlinear

    y = g(min(exposure k * g^-1(x), 1)), g the curve of sRGB from light to pixel values.

    ``size``: side in pixels of the kernel of a shaken camera, an odd number.
    ``intensity``: 0 a straight path, 1 the most restless.
    ``exposure``: factor of the light, of which the sensor holds no more than 1.
    ``kernel``: file of a kernel, in place of a shaken camera's.
    """
    from invscore.operators import CameraBlur
    from invscore.operators.files import read_kernel
    from invscore.operators.trajectories import shake_kernel

    own = None if kernel is None else read_kernel(kernel, image=in_shape)
    given = shake_kernel(size, intensity, seed) if own is None else own
    return CameraBlur(given / given.sum(), in_shape, exposure, boundary)


def phase(
    in_shape: Shape,
    *,
    oversampling: Annotated[float, Interval(ge=0, le=32)] = 2.0,
    squared: bool = False,
) -> Operator:
    """Phase retrieval: magnitudes of the Fourier transform with zeros around; nonlinear

    y = |F P x|, P zeros around the image, F the orthonormal Fourier transform, its zero frequency
    in the middle. Nothing tells x from its half turn, nor from its shifts within the zeros.

    ``oversampling``: eighths of the image's size that are added to each side: 2 makes 384 of 256
    pixels.
    ``squared``: intensities |F P x|^2 are measured.
    """
    from invscore.operators import PhaseRetrieval

    return PhaseRetrieval(in_shape, oversampling, squared)


def hdr(in_shape: Shape, *, factor: Factor = 2.0) -> Operator:
    """Contrast raised by a factor about 1/2 and clipped to [0, 1]; nonlinear

    y = min(max(1/2 + factor (x - 1/2), 0), 1).

    ``factor``: factor of the contrast; 2 loses the darkest and the brightest quarter of the range.
    """
    from invscore.operators import HighDynamicRange

    return HighDynamicRange(in_shape, factor)
