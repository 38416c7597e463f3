"""Cone-beam tomography by RTK, the Reconstruction Toolkit (Rit et al. 2014), on the CPU."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import torch

from invscore.operators.adapters.arrays import ArrayOperator
from invscore.operators.base import LinearOperator, Shape


def from_rtk(
    geometry: Any,
    in_shape: Shape,
    detector: tuple[int, int],
    *,
    voxel: float = 1.0,
    detector_pixel: float = 1.0,
) -> LinearOperator:
    """Line integrals of volumes (1, d, h, w) along the rays of an RTK ``geometry``.

    The geometry is a ``ThreeDCircularProjectionGeometry``, with the projections added to it; slices
    follow one another along its axis of rotation. Measurements are (views, rows, columns) of a flat
    ``detector``, (rows, columns), whose middle sees the axis. ``voxel`` and ``detector_pixel`` are
    sides in the geometry's unit of length. By Joseph's method and its exact adjoint, in single
    precision on the CPU, one volume after the other (``pip install itk-rtk``). Raises
    ``ValueError`` for what is no geometry or has no projections, for volumes of other axes, and for
    lengths that are not positive.

    >>> from itk import RTK
    >>> from invscore.operators import from_rtk
    >>> geometry = RTK.ThreeDCircularProjectionGeometry.New()
    >>> for angle in range(0, 360, 40):
    ...     geometry.AddProjection(100.0, 150.0, angle)  # axis and detector from the source
    >>> operator = from_rtk(geometry, in_shape=(1, 6, 8, 8), detector=(10, 14))
    >>> operator.out_shape
    (9, 10, 14)
    """
    if not hasattr(geometry, "GetGantryAngles"):
        raise ValueError(
            "`geometry` must be a ThreeDCircularProjectionGeometry of RTK, got "
            f"{type(geometry).__name__}"
        )
    views = len(geometry.GetGantryAngles())
    if not views:
        raise ValueError("`geometry` must have projections (AddProjection), got none")
    if len(in_shape) != 4 or in_shape[0] != 1:
        raise ValueError(f"`in_shape` must be that of a volume, (1, d, h, w), got {in_shape}")
    for name, length in (("voxel", voxel), ("detector_pixel", detector_pixel)):
        if not 0 < length < float("inf"):
            raise ValueError(f"`{name}` must be a positive length, got {length}")
    seen = (views, *detector)
    scanner = _Scanner(geometry, tuple(in_shape[1:]), seen, voxel, detector_pixel)
    return ArrayOperator(
        scanner.project,
        scanner.backproject,
        in_array=tuple(in_shape[1:]),
        out_array=seen,
        in_shape=tuple(in_shape),
        out_shape=seen,
        precision=torch.float32,
    )


class _Scanner:
    """RTK's projectors of arrays (d, h, w) to (views, rows, columns) and back."""

    def __init__(
        self, geometry: Any, volume: Shape, seen: Shape, voxel: float, pixel: float
    ) -> None:
        self._geometry, self._volume, self._seen = geometry, volume, seen
        self._place = partial(_image, spacing=[voxel] * 3, centred=3)
        self._stack = partial(_image, spacing=[pixel, pixel, 1.0], centred=2)

    def project(self, volume: Any) -> Any:
        return self._run("ForwardProjection", self._stack(np.zeros(self._seen)), self._of(volume))

    def backproject(self, projections: Any) -> Any:
        # RTK turns about its second axis, which is ours along the slices.
        empty = self._of(np.zeros(self._volume))
        return self._run("BackProjection", empty, self._stack(projections)).transpose(1, 0, 2)

    def _of(self, volume: Any) -> Any:
        return self._place(volume.transpose(1, 0, 2))

    def _run(self, kind: str, start: Any, given: Any) -> Any:
        import itk

        image = itk.Image[itk.F, 3]
        projector = getattr(itk.RTK, f"Joseph{kind}ImageFilter")[image, image].New()
        projector.SetGeometry(self._geometry)
        projector.SetInput(0, start)
        projector.SetInput(1, given)
        projector.Update()
        return itk.array_from_image(projector.GetOutput())


def _image(values: Any, *, spacing: list[float], centred: int) -> Any:
    """An image of ITK, whose axes are in the opposite order; the first of them about their 0."""
    import itk

    made = itk.image_from_array(np.ascontiguousarray(values, dtype=np.float32))
    made.SetSpacing(spacing)
    sizes = values.shape[::-1]
    origin = [-(n - 1) / 2 * step for n, step in zip(sizes, spacing, strict=True)]
    made.SetOrigin([*origin[:centred], *(0.0 for _ in range(3 - centred))])
    return made
