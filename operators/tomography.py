"""Parallel-beam tomography: line integrals of an image, and filtered back-projection."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from statistics import median_low

import torch
from torch import Tensor

from invscore.operators.base import LinearOperator, Shape
from invscore.operators.files import read_angles
from invscore.operators.sparse import compressed, product, transposed

WEDGE = 4.0
"""Gaps between angles that are larger than this times the usual one: nothing was seen there."""


class Tomography(LinearOperator):
    """Line integrals along parallel rays, (c, h, w) -> (c, angles, detectors).

    ``angles`` in degrees, or a whole number n of them: 0, span / n, 2 span / n, ... with ``span``
    180, or less where a wedge is missing. At angle a, detector s sees the line
    ``u cos(a) + v sin(a) = s``, with u to the right, v upwards, and 0 in the middle of the image
    and of the detectors. These are one pixel apart; by default there are as many as the diagonal is
    long, so that none of the image is missed.

    The unit of length is the longer side of the image: measurements of an image in [0, 1] are of
    the order of 1, and so is a noise level. ``max(h, w) * Tomography(...)`` counts pixels.

    Between pixel centres the image is interpolated linearly, across each ray's main direction
    (Joseph 1982). The weights form a sparse matrix, kept with its transpose (about 2 MB an angle
    for 256 x 256 pixels), so that the adjoint is exact. Raises ``ValueError`` for an image that is
    not (c, h, w), for no angles or such that are not finite, and for no detectors.

        >>> from invscore.operators import Tomography
        >>> Tomography(12, (1, 16, 16)).out_shape
        (1, 12, 23)
    """

    view = "stretched"

    def __init__(
        self,
        angles: int | Sequence[float] | Tensor,
        in_shape: Shape,
        detectors: int | None = None,
        span: float = 180.0,
    ) -> None:
        if len(in_shape) != 3:
            raise ValueError(
                f"`in_shape` must be that of an image, (c, h, w), got {tuple(in_shape)}"
            )
        degrees = _degrees(angles, span)
        channels, height, width = in_shape
        if detectors is None:
            detectors = math.ceil(math.hypot(height, width))
        if detectors < 1:
            raise ValueError(f"`detectors` must be a positive number, got {detectors}")
        self.in_shape = (channels, height, width)
        self.out_shape = (channels, len(degrees), detectors)
        self.angles, self.pixel = tuple(degrees.tolist()), 1 / max(height, width)
        rays = [_rays(math.radians(a), detectors, height, width) for a in self.angles]
        counts, columns, lengths = (torch.cat(parts) for parts in zip(*rays, strict=True))
        self._matrix = compressed(counts, columns, (self.pixel * lengths).float())
        self._transpose = transposed(self._matrix, height * width)

    @classmethod
    def from_file(
        cls, angles: str | Path, in_shape: Shape, detectors: int | None = None
    ) -> Tomography:
        """Of the angles in a file, in degrees: of text, or of an array (``read_angles``)."""
        return cls(read_angles(angles), in_shape, detectors)

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
        height, width = self.in_shape[1:]
        detectors = self.out_shape[-1]
        filtered = _filtered(y, filter) / self.pixel
        right = torch.arange(width, device=y.device, dtype=y.dtype) - (width - 1) / 2
        up = (height - 1) / 2 - torch.arange(height, device=y.device, dtype=y.dtype)
        image = y.new_zeros(len(y), *self.in_shape)
        # One more detector of value 0 on each side: lines that pass by the detectors.
        filtered = torch.nn.functional.pad(filtered, (1, 1))
        weights = _weights(self.angles)
        for index, degrees in enumerate(self.angles):
            cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
            position = right * cosine + up[:, None] * sine + (detectors + 1) / 2
            position = position.clamp(0, detectors + 1)
            lower = position.floor().clamp_max(detectors)
            share, left = position - lower, lower.long()
            projection = filtered[:, :, index]
            seen = torch.lerp(projection[..., left], projection[..., left + 1], share)
            image = image + weights[index] * seen
        return image


def _degrees(angles: int | Sequence[float] | Tensor, span: float) -> Tensor:
    if isinstance(angles, int):
        if not 0 < span <= 180:
            raise ValueError(f"`span` must lie in (0, 180] degrees, got {span}")
        degrees = span / max(angles, 1) * torch.arange(max(angles, 0), dtype=torch.float64)
    else:
        degrees = torch.as_tensor(angles, dtype=torch.float64).cpu()
    if degrees.ndim != 1 or len(degrees) == 0 or not bool(degrees.isfinite().all()):
        raise ValueError(
            "`angles` must be finite numbers of degrees, or a positive number of angles, got "
            f"{angles}"
        )
    return degrees


def _weights(degrees: Sequence[float]) -> list[float]:
    """The angle that each direction stands for, in radians: pi in all, but for what is missing."""
    order = sorted(range(len(degrees)), key=lambda k: degrees[k] % 180)
    turned = [degrees[k] % 180 for k in order]
    gaps = [after - before for before, after in pairwise([*turned, turned[0] + 180])]
    usual = median_low([gap for gap in gaps if gap > 1e-6])
    gaps = [usual if gap > WEDGE * usual else gap for gap in gaps]
    shares = [(before + after) / 2 for before, after in zip([gaps[-1], *gaps], gaps, strict=False)]
    by_place = dict(zip(order, shares, strict=True))
    return [math.radians(by_place[k]) for k in range(len(degrees))]


def _rays(angle: float, detectors: int, height: int, width: int) -> tuple[Tensor, Tensor, Tensor]:
    """Of all rays at ``angle``: how many pixels each meets, their indices, and lengths in pixels.

    A ray closer to the columns than to the rows crosses every row once, between two pixels that
    share the length of its way through the row; and the same for rows and columns exchanged.
    """
    cosine, sine = math.cos(angle), math.sin(angle)
    s = torch.arange(detectors, dtype=torch.float64)[:, None] - (detectors - 1) / 2
    right = torch.arange(width, dtype=torch.float64) - (width - 1) / 2
    up = (height - 1) / 2 - torch.arange(height, dtype=torch.float64)
    if abs(cosine) >= abs(sine):
        across = (s - up * sine) / cosine + (width - 1) / 2
        first, stride, limit, length = torch.arange(height) * width, 1, width, 1 / abs(cosine)
    else:
        across = (height - 1) / 2 - (s - right * cosine) / sine
        first, stride, limit, length = torch.arange(width), width, height, 1 / abs(sine)
    lower = across.floor()
    share = across - lower
    nearest = torch.stack([lower, lower + 1], dim=-1).long()
    lengths = length * torch.stack([1 - share, share], dim=-1)
    met = (nearest >= 0) & (nearest < limit) & (lengths > 0)
    pixels = first[:, None] + stride * nearest
    return met.sum(dim=(1, 2)), pixels[met], lengths[met]


def _filtered(y: Tensor, filter: str) -> Tensor:
    """Each projection convolved with the ramp filter of detectors one apart."""
    if filter not in ("ramp", "hann"):
        raise ValueError(f"`filter` must be one of ramp, hann, got {filter!r}")
    detectors = y.shape[-1]
    length = 2 ** math.ceil(math.log2(2 * detectors))
    n = torch.arange(length, dtype=torch.float64)
    n = torch.minimum(n, length - n)
    # The band-limited ramp in space, not in frequency, where its mean would be wrong (Kak &
    # Slaney 1988, Eq. 61).
    ramp = torch.where(n % 2 == 1, -1 / (math.pi * n) ** 2, 0.0)
    ramp[0] = 0.25
    response = torch.fft.rfft(ramp).real
    if filter == "hann":
        response = response * torch.cos(math.pi * torch.fft.rfftfreq(length)) ** 2
    spectrum = torch.fft.rfft(y, n=length) * response.to(y)
    return torch.fft.irfft(spectrum, n=length)[..., :detectors]
