"""Fan-beam tomography: rays from a point to a row of detectors, and its back-projection."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from invscore.batches import Numbers
from invscore.operators.base import Shape
from invscore.operators.rays import Line, angular_weights, ramp_filtered
from invscore.operators.tomography import Tomography

FULL = 1e-6
"""Degrees by which a full turn may fall short."""


class FanBeam(Tomography):
    """Line integrals along the rays of a fan, (c, h, w) -> (c, angles, detectors).

    The source is ``source_distance`` from the axis of rotation, the flat row of detectors
    ``detector_distance`` beyond it, both in the unit of ``pixel`` (by default the longer side of
    the image). At angle a detectors lie along ``(cos a, sin a)``, u to the right and v upwards, and
    the source is at ``source_distance (sin a, -cos a)``: far sources are ``Tomography`` at the same
    angle. ``angles`` in degrees, or a number of them evenly over ``span``, 360 by default.
    ``detector_pixel`` is that of the detectors where they are, by default a pixel of the image as
    it is projected there; ``center`` the column that sees the axis of rotation. Rays are those of
    ``Tomography`` otherwise, and so are the errors; the source must lie outside the image's circle.

        >>> from invscore.operators import FanBeam
        >>> FanBeam(12, (1, 16, 16), source_distance=3, detector_distance=1).out_shape
        (1, 12, 24)
    """

    def __init__(
        self,
        angles: int | Sequence[float] | Numbers,
        in_shape: Shape,
        detectors: int | None = None,
        span: float = 360.0,
        *,
        source_distance: float,
        detector_distance: float = 0.0,
        pixel: float | None = None,
        detector_pixel: float | None = None,
        center: float | None = None,
    ) -> None:
        if isinstance(angles, int) and not 0 < span <= 360:
            raise ValueError(f"`span` must lie in (0, 360] degrees, got {span}")
        if not 0 <= detector_distance < math.inf:
            raise ValueError(
                f"`detector_distance` must be a length from 0, got {detector_distance}"
            )
        side = 1 / max(in_shape[-2:]) if pixel is None else pixel
        radius = math.hypot(*in_shape[-2:]) * side / 2
        if not radius < source_distance < math.inf:
            raise ValueError(
                "`source_distance` must be a length beyond the image's half diagonal of "
                f"{radius:.4g}, got {source_distance}"
            )
        self.source_distance = float(source_distance)
        self.detector_distance = float(detector_distance)
        self._build(angles, in_shape, detectors, span, pixel, detector_pixel, center)

    def _magnification(self) -> float:
        return 1 + self.detector_distance / self.source_distance

    def _widest(self, diagonal: float) -> float:
        tangent = diagonal / 2 / math.sqrt(self.source_distance**2 - diagonal**2 / 4)
        return 2 * tangent * (self.source_distance + self.detector_distance)

    def _lines(self) -> Iterator[Line]:
        s, far = self._places / self.pixel, self.source_distance / self.pixel
        whole = far + self.detector_distance / self.pixel
        for degrees in self.angles:
            cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
            source = torch.tensor([far * sine, -far * cosine], dtype=torch.float64)
            yield source[:1], source[1:], s * cosine - whole * sine, s * sine + whole * cosine

    def fbp(self, y: Tensor, filter: str = "ramp") -> Tensor:
        """Filtered back-projection of a fan, (b, c, angles, detectors) -> (b, c, h, w).

        Kak & Slaney 1988, Sec. 3.4.2. Over a whole turn each ray counts half, as it is seen from
        both sides; over less, rays that are seen twice share their weight as Parker (1982) has it,
        for any arc (Silver 2000). ``filter`` as for parallel rays.
        """
        enlarged, far = self._magnification(), self.source_distance
        s = self._places.to(y) / enlarged  # on the axis of rotation
        cosines = far / torch.hypot(s, s.new_tensor(far))
        shares, gaps = self._shares(torch.atan(s / far)), angular_weights(self.angles, 2 * math.pi)
        filtered = ramp_filtered(y * cosines * shares, filter) / (self.detector_pixel / enlarged)
        image = y.new_zeros(len(y), *self.in_shape)
        right, up = self._pixels(y)
        for index, degrees in enumerate(self.angles):
            cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
            closer = far / (far + up * cosine - right * sine)
            place = closer * enlarged * (right * cosine + up * sine)
            seen = self._at(filtered[:, :, index], place)
            image = image + gaps[index] * closer**2 * seen
        return image

    def _shares(self, fan: Tensor) -> Tensor:
        """Weights of rays of the angle ``fan`` within their fan: (angles, detectors)."""
        ordered = sorted(self.angles)
        step = (ordered[-1] - ordered[0]) / max(len(ordered) - 1, 1)
        arc = math.radians(ordered[-1] - ordered[0] + step)
        if arc >= 2 * math.pi - math.radians(FULL):
            return fan.new_full((len(self.angles), len(fan)), 0.5)
        at = torch.tensor(self.angles, dtype=torch.float64).deg2rad()[:, None].to(fan)
        at = at - math.radians(ordered[0]) + math.radians(step) / 2
        beyond = max((arc - math.pi) / 2, float(fan.abs().max()) + 1e-3)
        # The ray opposite to (at, fan) is (at + pi - 2 fan, -fan).
        rising = at / (beyond + fan).clamp_min(1e-6)
        falling = (math.pi + 2 * beyond - at) / (beyond - fan).clamp_min(1e-6)
        quarter = torch.minimum(rising, falling).clamp(0, 2)
        return torch.sin(math.pi / 4 * quarter).square()
