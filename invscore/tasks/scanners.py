"""Magnetic resonance imaging by name: one coil, several, and along any trajectory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from annotated_types import Interval

from invscore.options.ranges import Seed, Share

if TYPE_CHECKING:
    from torch import Tensor

    from invscore.operators import Operator

Shape = tuple[int, ...]


def mri(
    in_shape: Shape,
    *,
    acceleration: Annotated[float, Interval(ge=1, le=1000)] = 4.0,
    center_fraction: Share = 0.08,
    pattern: Literal["random", "equispaced", "gaussian"] = "random",
    seed: Seed = 0,
    real: bool = True,
    mask: str | None = None,
    invert: bool = False,
    dimensions: Literal[2, 3] = 2,
) -> Operator:
    """MRI with one coil, a centred orthonormal FFT: lines are missing, or what a mask file says

    y = M F x, F the Fourier transform, its zero frequency in the middle, and M the frequencies that
    are measured. Of a --measurement what is exactly 0 is not measured where no mask is given.

    ``acceleration``: one of so many columns of k-space is measured.
    ``center_fraction``: share of the columns, in the middle, that is measured as a whole.
    ``pattern``: the others are ``random``, ``equispaced``, or ``gaussian``, denser near the middle.
    ``mask``: file of the mask of k-space, white where measured: of the image's size, or a line.
    """
    from invscore.operators import MRI

    if mask is not None:
        seen = _lines_of_file(mask, invert, in_shape, dimensions)
        return MRI(seen, in_shape, real, dimensions)
    _require_mask(dimensions)
    return getattr(MRI, pattern)(in_shape, acceleration, center_fraction, seed, real)


def multicoil_mri(
    in_shape: Shape,
    *,
    coils: Annotated[int, Interval(ge=1, le=256)] = 8,
    maps: str | None = None,
    acceleration: Annotated[float, Interval(ge=1, le=1000)] = 4.0,
    center_fraction: Share = 0.08,
    pattern: Literal["random", "equispaced", "gaussian"] = "random",
    seed: Seed = 0,
    real: bool = True,
    mask: str | None = None,
    invert: bool = False,
    noise_covariance: str | None = None,
    dimensions: Literal[2, 3] = 2,
) -> Operator:
    """MRI with several coils: maps from a file, from the centre of k-space, or simulated

    y_c = M F S_c x for each coil c, S_c its sensitivity, F the Fourier transform and M the
    frequencies that are measured. Of a --measurement (coils, h, w) what is exactly 0 in all coils
    is not measured where no mask is given.

    ``coils``: their number, of a simulation; a --measurement must have as many.
    ``acceleration``: one of so many columns of k-space is measured.
    ``center_fraction``: share of the columns, in the middle, that is measured as a whole.
    ``pattern``: the others are ``random``, ``equispaced``, or ``gaussian``, denser near the middle.
    ``mask``: file of the mask of k-space, white where measured: of the image's size, or a line.
    """
    from invscore.operators import MRI
    from invscore.tasks.multicoil import simulated_coils

    _of_a_measurement(noise_covariance)
    if mask is not None:
        lines = _lines_of_file(mask, invert, in_shape, dimensions)
    else:
        _require_mask(dimensions)
        lines = getattr(MRI, pattern)(in_shape, acceleration, center_fraction, seed).measured[0]
    return simulated_coils(lines, in_shape, coils, maps, real, dimensions)


def _lines_of_file(mask: str, invert: bool, in_shape: Shape, dimensions: int) -> Tensor:
    from invscore.operators.files import as_mask_of_volume, read_mask

    seen = read_mask(mask, invert=invert, image=in_shape)
    return as_mask_of_volume(seen, in_shape) if dimensions == 3 else seen


def _require_mask(dimensions: int) -> None:
    if dimensions == 3:
        raise ValueError("`dimensions` must be 2 where no mask is given, got 3")


def _of_a_measurement(noise_covariance: str | None) -> None:
    if noise_covariance is not None:
        raise ValueError(
            "`noise_covariance` must be that of a --measurement, which is whitened by it, got "
            f"{noise_covariance!r} for an --image"
        )


def noncartesian_mri(
    in_shape: Shape,
    *,
    trajectory: str = "radial",
    spokes: Annotated[int, Interval(ge=1, le=100000)] = 32,
    units: Literal["auto", "pixel", "radian", "fov"] = "auto",
    coils: Annotated[int, Interval(ge=1, le=256)] = 1,
    maps: str | None = None,
    real: bool = True,
    noise_covariance: str | None = None,
) -> Operator:
    """MRI along radial spokes, spirals or the trajectory in a file, with one or several coils

    y_c = F S_c x for each coil c, F the Fourier transform at the frequencies of a trajectory.

    ``trajectory``: ``radial``, ``spiral``, or a file of frequencies (n, 2), rows first.
    ``spokes``: number of spokes, or of the arms of a spiral.
    ``units``: of the frequencies in a file: ``pixel``, cycles a pixel; ``radian``, radians a pixel;
    ``fov``, cycles in the field of view; ``auto``, told from their range.
    ``coils``: their number.
    """
    from invscore.tasks.noncartesian import simulated

    _of_a_measurement(noise_covariance)
    return simulated(in_shape, trajectory, spokes, units, coils, maps, real)
