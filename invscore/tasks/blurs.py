"""Blurs by name: kernels of a Gaussian, of motion and optics, and in files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from annotated_types import Interval

from invscore.options.ranges import Seed, Share

if TYPE_CHECKING:
    from invscore.operators import Operator

Shape = tuple[int, ...]
Pixels = Annotated[float, Interval(gt=0, le=1000)]
Boundary = Literal["circular", "reflect", "valid"]
KernelSide = Annotated[int, Interval(ge=3, le=1001)]


def deblur(in_shape: Shape, *, sigma: Pixels = 1.6, boundary: Boundary = "circular") -> Operator:
    """Gaussian blur, sigma its standard deviation in pixels

    y = k * x, the convolution of each channel with a Gaussian k of sum one, four standard
    deviations to each side.

    ``sigma``: standard deviation of the Gaussian in pixels.
    """
    from invscore.operators import Blur

    return Blur.gaussian(sigma, in_shape, boundary=boundary)


def motion(
    in_shape: Shape,
    *,
    length: Pixels = 15.0,
    angle: Annotated[float, Interval(ge=-360, le=360)] = 30.0,
    boundary: Boundary = "circular",
) -> Operator:
    """Motion along a line, length in pixels, angle in degrees

    y = k * x, the convolution of each channel with a straight line k of sum one.

    ``length``: way that the image moves, in pixels.
    ``angle``: its direction in degrees, 0 to the right, counter-clockwise.
    """
    from invscore.operators import Blur

    return Blur.motion(length, angle, in_shape, boundary=boundary)


def shake(
    in_shape: Shape,
    *,
    size: KernelSide = 61,
    intensity: Share = 0.5,
    model: Literal["polyline", "inertial"] = "polyline",
    seed: Seed = 0,
    boundary: Boundary = "circular",
) -> Operator:
    """Motion along a random path, intensity from 0 (straight) to 1 (restless)

    y = k * x, k the trace of a camera that is shaken while the shutter is open, of sum one:
    the "motion blur of size 61 and intensity 0.5" of the papers on diffusion posterior sampling.

    ``size``: side of the kernel in pixels, an odd number.
    ``intensity``: 0 a straight line, 1 the most restless path.
    ``model``: ``polyline`` of the papers (Borodenko 2020), or ``inertial``, a path that never
    leaves the kernel.
    """
    from invscore.operators import Blur

    return Blur.shake(in_shape, size, intensity, seed, model, boundary)


def defocus(in_shape: Shape, *, radius: Pixels = 4.0, boundary: Boundary = "circular") -> Operator:
    """Defocus, a uniform disk, radius in pixels

    y = k * x, the convolution of each channel with a uniform disk k of sum one.

    ``radius``: radius of the disk in pixels.
    """
    from invscore.operators import Blur

    return Blur.disk(radius, in_shape, boundary=boundary)


def airy(
    in_shape: Shape,
    *,
    radius: Pixels = 2.44,
    obstruction: Annotated[float, Interval(ge=0, lt=1)] = 0.0,
    boundary: Boundary = "circular",
) -> Operator:
    """Diffraction of a microscope or telescope, radius of the first dark ring in pixels

    y = k * x, the convolution of each channel with the Airy pattern k of a round aperture, of sum
    one, averaged over pixels.

    ``radius``: radius of the first dark ring in pixels: 0.61 wavelength / NA of a microscope,
    1.22 wavelength focal_length / diameter of a telescope or a camera, over the size of a pixel.
    2.44 is the coarsest sampling that loses nothing.
    ``obstruction``: diameter of an obstacle in the middle, such as a second mirror, as a share of
    the aperture's.
    """
    from invscore.operators import Blur

    return Blur.airy(radius, in_shape, obstruction, boundary)


def moffat(
    in_shape: Shape,
    *,
    fwhm: Pixels = 3.0,
    beta: Annotated[float, Interval(ge=1.5, le=100)] = 4.765,
    boundary: Boundary = "circular",
) -> Operator:
    """Seeing of a telescope on the ground, fwhm in pixels

    y = k * x, the convolution of each channel with Moffat's profile (1 + (r / a)^2)^-beta of stars
    behind the atmosphere, of sum one, averaged over pixels.

    ``fwhm``: full width at half maximum of a star in pixels.
    ``beta``: how far its wings reach: 4.765 in the theory of turbulence, 2.5 to 4 of most
    telescopes.
    """
    from invscore.operators import Blur

    return Blur.moffat(fwhm, in_shape, beta, boundary)


def blur(in_shape: Shape, *, kernel: str, boundary: Boundary = "circular") -> Operator:
    """Blur with the kernel in an image or NPY file

    y = k * x, the convolution of each channel, as ``scipy.signal.convolve`` has it; a correlation
    has the kernel turned by 180 degrees. Volumes take a stack (kd, kh, kw) as one kernel.

    ``kernel``: file of the kernel (kh, kw), its centre at (kh // 2, kw // 2); a picture is taken in
    linear light; it is divided by its sum.
    """
    from invscore.operators import Blur

    return Blur.from_file(kernel, in_shape, boundary=boundary)


def blind_deblur(
    in_shape: Shape,  # noqa: ARG001
    *,
    model: Literal["any", "motion", "defocus", "gaussian"] = "any",  # noqa: ARG001
    boundary: Boundary = "valid",  # noqa: ARG001
) -> Operator:
    """Blur whose kernel is unknown, and found in a measurement: motion, defocus or a Gaussian

    The spectrum of the measurement tells the kind of blur and its size (a direction up to 180
    degrees, which a straight line does not distinguish); it is then restored as ``motion``,
    ``defocus`` or ``deblur`` is. A --measurement alone has it.

    ``model``: kind of kernel, or ``any`` for the one that fits best.
    """
    raise ValueError(
        "operator 'blind-deblur' finds the kernel of a --measurement: an --image is blurred by "
        "motion, defocus, deblur or blur"
    )
