"""Operators that users choose by name: builders ``(in_shape, **options)``.

The options of a specification are checked against the signature of its builder. Operators, and
with them torch, are imported when one is built.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

from annotated_types import Interval

from invscore import plugins
from invscore.options import ranges
from invscore.options.ranges import Seed, Share, SomeShare
from invscore.options.words import meant
from invscore.tasks.instruments import interferometry, lensless
from invscore.tasks.mosaics import cassi, mosaic
from invscore.tasks.scanners import mri, multicoil_mri, noncartesian_mri

if TYPE_CHECKING:
    from invscore.operators import Operator

Shape = tuple[int, ...]
Pair = tuple[int, int]
Pixels = Annotated[float, Interval(gt=0, le=1000)]
Side = Annotated[int, Interval(ge=1, le=100000)]
Length = Annotated[float, Interval(gt=0, le=1e9)]
Factor = Annotated[float, Interval(gt=0, le=1000)]
Times = Annotated[int, Interval(ge=1, le=64)]
Builder = Callable[..., "Operator"]
Boundary = Literal["circular", "reflect", "valid"]


def deblur(in_shape: Shape, *, sigma: Pixels = 1.6, boundary: Boundary = "circular") -> Operator:
    """Gaussian blur, sigma its standard deviation in pixels"""
    from invscore.operators import Blur

    return Blur.gaussian(sigma, in_shape, boundary=boundary)


def motion(
    in_shape: Shape,
    *,
    length: Pixels = 15.0,
    angle: Annotated[float, Interval(ge=-360, le=360)] = 30.0,
    boundary: Boundary = "circular",
) -> Operator:
    """Motion along a line, length in pixels, angle in degrees"""
    from invscore.operators import Blur

    return Blur.motion(length, angle, in_shape, boundary=boundary)


def shake(
    in_shape: Shape,
    *,
    size: Annotated[int, Interval(ge=3, le=1001)] = 61,
    intensity: Share = 0.5,
    model: Literal["polyline", "inertial"] = "polyline",
    seed: Seed = 0,
    boundary: Boundary = "circular",
) -> Operator:
    """Motion along a random path, intensity from 0 (straight) to 1 (restless)"""
    from invscore.operators import Blur

    return Blur.shake(in_shape, size, intensity, seed, model, boundary)


def defocus(in_shape: Shape, *, radius: Pixels = 4.0, boundary: Boundary = "circular") -> Operator:
    """Defocus, a uniform disk, radius in pixels"""
    from invscore.operators import Blur

    return Blur.disk(radius, in_shape, boundary=boundary)


def blur(in_shape: Shape, *, kernel: str, boundary: Boundary = "circular") -> Operator:
    """Blur with the kernel in an image or NPY file"""
    from invscore.operators import Blur

    return Blur.from_file(kernel, in_shape, boundary=boundary)


def blind_deblur(
    in_shape: Shape,  # noqa: ARG001
    *,
    model: Literal["any", "motion", "defocus", "gaussian"] = "any",  # noqa: ARG001
    boundary: Boundary = "valid",  # noqa: ARG001
) -> Operator:
    """Blur whose kernel is unknown, and found in a measurement: motion, defocus or a Gaussian"""
    raise ValueError(
        "operator 'blind-deblur' finds the kernel of a --measurement: an --image is blurred by "
        "motion, defocus, deblur or blur"
    )


def inpaint(
    in_shape: Shape,
    *,
    keep: SomeShare = 0.3,
    seed: Seed = 0,
    mask: str | None = None,
    invert: bool = False,
    soft: bool = False,
) -> Operator:
    """Missing pixels: a random fraction is kept, or what is white and opaque in a mask file"""
    from invscore.operators import Inpainting

    if mask is not None:
        return Inpainting.from_file(mask, in_shape, invert=invert, soft=soft)
    return Inpainting.random(in_shape, keep=keep, seed=seed)


def box(in_shape: Shape, *, size: Side | Pair = 64, position: Pair | None = None) -> Operator:
    """A missing rectangle, in the centre or with its corner at (row, column)"""
    from invscore.operators import Inpainting

    return Inpainting.box(in_shape, size=size, position=position)


def superres(
    in_shape: Shape,
    *,
    factor: Times | tuple[Times, Times] = 4,
    kernel: Literal["bicubic", "box", "gaussian"] = "bicubic",
) -> Operator:
    """Super-resolution by a factor, or one of rows and one of columns"""
    from invscore.operators import SuperResolution

    return SuperResolution(factor, in_shape, kernel=kernel)


def ct(
    in_shape: Shape,
    *,
    angles: Annotated[int, Interval(ge=1, le=10000)] | tuple[float, ...] | str = 60,
    span: Annotated[float, Interval(gt=0, le=360)] | None = None,
    detectors: Side | None = None,
    source_distance: Length | None = None,
    detector_distance: Annotated[float, Interval(ge=0, le=1e9)] = 0.0,
    pixel: Length | None = None,
    detector_pixel: Length | None = None,
    center: Annotated[float, Interval(ge=-1e5, le=1e5)] | None = None,
) -> Operator:
    """Tomography, a parallel beam or the fan of a source; angles over a span, a list or a file"""
    from invscore.operators import FanBeam, Tomography
    from invscore.operators.files import read_angles

    if not isinstance(angles, int) and span is not None:
        raise ValueError(f"`span` must be left out where the angles are given, got {span:g}")
    degrees = read_angles(angles) if isinstance(angles, str) else angles
    lengths = {"pixel": pixel, "detector_pixel": detector_pixel, "center": center}
    if source_distance is None:
        if detector_distance:
            raise ValueError(
                "`detector_distance` must be left out of a parallel beam, which has no "
                f"source_distance, got {detector_distance:g}"
            )
        turn = 180.0 if span is None else span
        return Tomography(degrees, in_shape, detectors, turn, **lengths)
    return FanBeam(
        degrees,
        in_shape,
        detectors,
        360.0 if span is None else span,
        source_distance=source_distance,
        detector_distance=detector_distance,
        **lengths,
    )


def cs(
    in_shape: Shape, *, ratio: SomeShare = 0.5, seed: Seed = 0, matrix: str | None = None
) -> Operator:
    """Compressed sensing: a fraction of random mixtures of all pixels, or a matrix in a file"""
    from invscore.operators import CompressedSensing, from_matrix
    from invscore.operators.files import read_matrix

    if matrix is not None:
        return from_matrix(read_matrix(matrix, math.prod(in_shape)), in_shape)
    return CompressedSensing(in_shape, ratio, seed)


def phase(
    in_shape: Shape,
    *,
    oversampling: Annotated[float, Interval(ge=0, le=32)] = 2.0,
    squared: bool = False,
) -> Operator:
    """Phase retrieval: magnitudes of the Fourier transform with zeros around; nonlinear"""
    from invscore.operators import PhaseRetrieval

    return PhaseRetrieval(in_shape, oversampling, squared)


def hdr(in_shape: Shape, *, factor: Factor = 2.0) -> Operator:
    """Contrast raised by a factor about 1/2 and clipped to [0, 1]; nonlinear"""
    from invscore.operators import HighDynamicRange

    return HighDynamicRange(in_shape, factor)


def nonlinear_blur(
    in_shape: Shape,
    *,
    size: Annotated[int, Interval(ge=3, le=1001)] = 61,
    intensity: Share = 0.5,
    exposure: Factor = 1.5,
    seed: Seed = 0,
    kernel: str | None = None,
    boundary: Boundary = "circular",
) -> Operator:
    """A shaken camera, or a kernel file: blur of linear light, saturation, response; nonlinear"""
    from invscore.operators import CameraBlur
    from invscore.operators.files import read_kernel
    from invscore.operators.trajectories import shake_kernel

    own = None if kernel is None else read_kernel(kernel, image=in_shape)
    given = shake_kernel(size, intensity, seed) if own is None else own
    return CameraBlur(given / given.sum(), in_shape, exposure, boundary)


def denoise(in_shape: Shape) -> Operator:
    """Noise alone"""
    from invscore.operators import Identity

    return Identity(in_shape)


BUILTIN: dict[str, Builder] = {
    builder.__name__.replace("_", "-"): builder
    for builder in (
        *(deblur, motion, shake, defocus, blur, blind_deblur, nonlinear_blur, lensless),
        *(inpaint, box, mosaic, cassi, superres, mri, multicoil_mri, noncartesian_mri),
        *(interferometry, ct, cs, phase, hdr, denoise),
    )
}


def get_builder(name: str) -> Builder:
    """The builder ``name``. Raises ``ValueError`` for an unknown one."""
    if name not in BUILTIN:
        known = [*BUILTIN, *plugins.installed("operator")]
        raise ValueError(
            f"unknown operator {name!r}: known are {', '.join(known)}, and FILE.py:NAME for one of "
            f"your own{meant(name, known)}"
        )
    return BUILTIN[name]


def build(name: str, in_shape: Shape, options: Mapping[str, Any]) -> Operator:
    """The operator ``name`` on images of ``in_shape``, or on each slice of volumes (c, d, h, w).

    A blur whose kernel is a stack, and MRI of three dimensions, are ones of whole volumes.

    Raises ``ValueError`` for an unknown operator, option or value, and for volumes where the
    operator is not linear.
    """
    if len(in_shape) != 4 or options.get("dimensions") == 3:
        return get_builder(name)(in_shape, **check_options(name, options))
    from invscore.operators import LinearOperator, Slicewise

    if (stack := kernel_stack(name, in_shape, options)) is not None:
        return stack
    channels, depth, *slices = in_shape
    operator = build(name, (channels, *slices), options)
    if not isinstance(operator, LinearOperator):
        raise ValueError(f"operator {name!r} must be linear for volumes, got a nonlinear one")
    return Slicewise(operator, depth)


def kernel_stack(name: str, in_shape: Shape, options: Mapping[str, Any]) -> Operator | None:
    """The blur of volumes (c, d, h, w) where its kernel is a stack (kd, kh, kw), or None."""
    if name != "blur":
        return None
    from invscore.operators import VolumeBlur
    from invscore.operators.files import read_kernel

    given = check_options(name, options)
    kernel = read_kernel(given["kernel"], image=in_shape, stack=True)
    if kernel.ndim != 3:
        return None
    return VolumeBlur(kernel / kernel.sum(), in_shape, given.get("boundary", "circular"))


def option_defaults(name: str) -> Mapping[str, Any]:
    """The options of operator ``name`` and their defaults; ``inspect.Parameter.empty`` for none."""
    return ranges.defaults(get_builder(name))


def option_ranges(name: str) -> Mapping[str, Any]:
    """The types of the options of operator ``name`` with their ranges."""
    return ranges.hints(get_builder(name))


def check_options(name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """``options`` once they fit the builder of ``name``. Raises ``ValueError`` otherwise."""
    defaults = option_defaults(name)
    hints = option_ranges(name)
    for option, value in options.items():
        if option not in defaults:
            has = f"it has {', '.join(defaults)}" if defaults else "it has none"
            near = meant(option, defaults)
            raise ValueError(f"operator {name!r} has no option {option!r}: {has}{near}")
        ranges.require(value, hints[option], option, f"operator {name!r}")
    for option, default in defaults.items():
        if default is inspect.Parameter.empty and option not in options:
            example = f"{option}.png" if hints[option] is str else "1"
            raise ValueError(
                f"operator {name!r} needs an option {option!r}: for example "
                f"'{name}({option}={example})'"
            )
    return dict(options)
