"""Parallel-beam tomography: line integrals of an image, and filtered back-projection."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Self

import torch
from torch import Tensor

from invscore.batches import Numbers
from invscore.operators.base import LinearOperator, Shape
from invscore.operators.files import read_angles
from invscore.operators.memory_check import require_room
from invscore.operators.rays import (
    Line,
    angles_in_degrees,
    angular_weights,
    joseph,
    ramp_filtered,
)
from invscore.operators.sparse import product, transposed

WEIGHT = 4
"""Numbers that the matrix takes of a ray in a row or column: two weights and their places."""


class Tomography(LinearOperator):
    """Line integrals along parallel rays, (c, h, w) -> (c, angles, detectors).

    ``angles`` in degrees, or a whole number n of them: 0, span / n, 2 span / n, ... with ``span``
    180, or less where a wedge is missing. At angle a, detector s sees the line
    ``u cos(a) + v sin(a) = s``, with u to the right, v upwards, and 0 in the middle of the image.

    ``pixel`` is the side of a pixel in a unit of length, such as millimetres: an image in one over
    that unit has measurements without any. By default the unit is the longer side of the image:
    measurements of an image in [0, 1] are of the order of 1, and so is a noise level.
    ``detector_pixel``, in the same unit, is the way from one detector to the next: ``pixel`` by
    default. ``center``: the column of the detectors, counted from 0, on which the axis of rotation
    lies, the middle of the image; by default their own middle, (detectors - 1) / 2. By default
    there are as many detectors as the diagonal is long, so that none of the image is missed.

    Between pixel centres the image is interpolated linearly, across each ray's main direction
    (Joseph 1982). The weights form a sparse matrix, kept with its transpose (about 2 MB an angle
    for 256 x 256 pixels), so that the adjoint is exact. Raises ``ValueError`` for an image that is
    not (c, h, w), for no angles or such that are not finite, for no detectors, and for lengths that
    are not positive.

        >>> from invscore.operators import Tomography
        >>> Tomography(12, (1, 16, 16)).out_shape
        (1, 12, 23)
    """

    view = "stretched"
    out_axes = "channels, angles and detectors"

    def __init__(
        self,
        angles: int | Sequence[float] | Numbers,
        in_shape: Shape,
        detectors: int | None = None,
        span: float = 180.0,
        *,
        pixel: float | None = None,
        detector_pixel: float | None = None,
        center: float | None = None,
    ) -> None:
        if isinstance(angles, int) and not 0 < span <= 180:
            raise ValueError(f"`span` must lie in (0, 180] degrees, got {span}")
        self._build(angles, in_shape, detectors, span, pixel, detector_pixel, center)

    def _build(
        self,
        angles: int | Sequence[float] | Numbers,
        in_shape: Shape,
        detectors: int | None,
        span: float,
        pixel: float | None,
        detector_pixel: float | None,
        center: float | None,
    ) -> None:
        if len(in_shape) != 3:
            raise ValueError(
                f"`in_shape` must be that of an image, (c, h, w), got {tuple(in_shape)}"
            )
        for name, length in (("pixel", pixel), ("detector_pixel", detector_pixel)):
            if length is not None and not 0 < length < math.inf:
                raise ValueError(f"`{name}` must be a positive length, got {length}")
        if isinstance(angles, int):
            require_room(angles, f"{angles} `angles`")
        degrees = angles_in_degrees(angles, span)
        channels, height, width = in_shape
        self.pixel = 1 / max(height, width) if pixel is None else float(pixel)
        enlarged = self._magnification()
        self.detector_pixel = (
            enlarged * self.pixel if detector_pixel is None else float(detector_pixel)
        )
        if detectors is None:
            seen = self._widest(math.hypot(height, width) * self.pixel) / self.detector_pixel
            detectors = math.ceil(seen - 1e-9)
        if detectors < 1:
            raise ValueError(f"`detectors` must be a positive number, got {detectors}")
        numbers = WEIGHT * max(height, width) * len(degrees) * detectors
        require_room(numbers, f"rays at {len(degrees)} `angles` to {detectors} `detectors`")
        self.center = (detectors - 1) / 2 if center is None else float(center)
        if not -1e6 < self.center < 1e6:
            raise ValueError(f"`center` must be a column of the detectors, got {self.center:g}")
        self.in_shape = (channels, height, width)
        self.out_shape = (channels, len(degrees), detectors)
        self.angles = tuple(degrees.tolist())
        begins, columns, lengths = joseph(self._lines(), height, width)
        if not len(columns):
            raise ValueError(
                f"`center` must be a column whose detectors see the image, got {self.center:g}: no "
                "ray meets it"
            )
        self._matrix = (begins, columns, self.pixel * lengths)
        self._transpose = transposed(self._matrix, height * width)

    @classmethod
    def from_file(cls, angles: str | Path, in_shape: Shape, detectors: int | None = None) -> Self:
        """Tomography at the angles in a file, in degrees: text, or an array (``read_angles``)."""
        return cls(read_angles(angles), in_shape, detectors)

    @property
    def _places(self) -> Tensor:
        """Positions of the detectors from the axis of rotation, in the unit of length."""
        number = torch.arange(self.out_shape[-1], dtype=torch.float64)
        return (number - self.center) * self.detector_pixel

    def _magnification(self) -> float:
        """Magnification on the detectors of what is on the axis of rotation."""
        return 1.0

    def _widest(self, diagonal: float) -> float:
        """The width that a disc of this diameter about the axis takes on the detectors."""
        return diagonal

    def _lines(self) -> Iterator[Line]:
        s = self._places / self.pixel
        for degrees in self.angles:
            cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
            direction = torch.tensor([-sine, cosine], dtype=torch.float64)
            yield s * cosine, s * sine, direction[:1], direction[1:]

    def matvec(self, x: Tensor) -> Tensor:
        sums = product(self._matrix, self._transpose, x.reshape(-1, math.prod(self.in_shape[1:])))
        return sums.reshape(-1, *self.out_shape)

    def rmatvec(self, y: Tensor) -> Tensor:
        rays = y.reshape(-1, math.prod(self.out_shape[1:]))
        return product(self._transpose, self._matrix, rays).reshape(-1, *self.in_shape)

    def norm(self) -> float:
        # No weight is negative, so the first singular vector has no sign changes: powers of
        # A^T A, begun at a constant image, reach it in a few steps (Perron & Frobenius).
        x = self._transpose[2].new_ones(1, *self.in_shape)
        for _ in range(10):
            x = self.normal(x / torch.linalg.vector_norm(x))
        return float(torch.linalg.vector_norm(x).sqrt())

    def fbp(self, y: Tensor, filter: str = "ramp") -> Tensor:
        """Filtered back-projection, (b, c, angles, detectors) -> (b, c, h, w).

        The inverse of the Radon transform, discretised (Kak & Slaney 1988, Sec. 3.3): each angle
        stands for half of the gaps to its neighbours, in any order, opposite directions being one;
        those that an arc leaves out count as zero. ``filter`` is ``"ramp"``, or
        ``"hann"`` for one that falls to zero at the highest frequency and lets less noise through.
        Raises ``ValueError`` for another.
        """
        filtered = ramp_filtered(y, filter) / self.detector_pixel
        weights = angular_weights(self.angles, math.pi)
        image = y.new_zeros(len(y), *self.in_shape)
        right, up = self._pixels(y)
        for index, degrees in enumerate(self.angles):
            cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
            seen = self._at(filtered[:, :, index], right * cosine + up * sine)
            image = image + weights[index] * seen
        return image

    def _pixels(self, like: Tensor) -> tuple[Tensor, Tensor]:
        """Positions of pixels, to the right (1, w) and upwards (h, 1) of the middle."""
        height, width = self.in_shape[1:]
        right = torch.arange(width, device=like.device, dtype=like.dtype) - (width - 1) / 2
        up = (height - 1) / 2 - torch.arange(height, device=like.device, dtype=like.dtype)
        return self.pixel * right[None], self.pixel * up[:, None]

    def _at(self, projection: Tensor, place: Tensor) -> Tensor:
        """``projection``, (b, c, detectors), between detectors, at ``place`` (h, w)."""
        detectors = projection.shape[-1]
        # One more detector of value 0 on each side: lines that pass by the detectors.
        padded = torch.nn.functional.pad(projection, (1, 1))
        position = (place / self.detector_pixel + self.center + 1).clamp(0, detectors + 1)
        lower = position.floor().clamp_max(detectors)
        share, left = position - lower, lower.long()
        return torch.lerp(padded[..., left], padded[..., left + 1], share)
