"""Computed tomography by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from annotated_types import Interval

if TYPE_CHECKING:
    from invscore.operators import Operator

Shape = tuple[int, ...]
Side = Annotated[int, Interval(ge=1, le=100000)]
Length = Annotated[float, Interval(gt=0, le=1e9)]


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
    """Tomography, a parallel beam or the fan of a source; angles over a span, a list or a file

    y(angle, detector) = the integral of x along a ray, (angles, detectors), interpolated linearly
    between pixels (Joseph 1982). Lengths are in a unit of your own, by default the longer side of
    the image. At angle 0 rays run from below upwards, and detectors lie from left to right.

    ``angles``: their number, evenly over the span, or a list or file of them, in degrees.
    ``span``: degrees over which a number of angles are spread: 180, of a fan 360, by default.
    ``detectors``: their number in a row; by default as many as see the whole image.
    ``source_distance``: way from the source to the axis of rotation, of a fan; a parallel beam has
    none.
    ``detector_distance``: way from the axis of rotation to the row of detectors, of a fan.
    ``pixel``: side of a pixel of the image.
    ``detector_pixel``: way from one detector to the next; by default a pixel of the image, of a fan
    as it is projected there.
    ``center``: column of the detectors, counted from 0, that sees the axis of rotation; by default
    their middle.
    """
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
