"""Mosaics and coded apertures: one number a pixel, behind filters (Bayer, spectral, CASSI)."""

from __future__ import annotations

import math
from typing import Self

import torch
from torch import Tensor

from invscore.batches import Numbers, as_tensor
from invscore.operators.base import Shape, SpectralOperator
from invscore.operators.constant import Constant
from invscore.operators.memory_check import require_room, require_room_for_images
from invscore.operators.svd import SVD, unchanged

COLOURS = "RGB"


class Mosaic(SpectralOperator):
    """``y = sum_c w_c x_c`` at each pixel, (c, h, w) -> (1, h, w): filters in front of a sensor.

    ``weights``, (c, ph, pw) and not negative, say how much of each channel passes at each pixel;
    what is smaller than the image is repeated. With a ``dispersion`` of d > 0 channel c arrives d c
    columns farther to the right, on a sensor of (h, w + d (c - 1)): a coded aperture behind which a
    prism spreads the spectrum (CASSI, Wagadarikar et al. 2008). No two pixels of the sensor share
    light, so that singular values and vectors, ``solve`` and ``pinv`` are in closed form. Raises
    ``ValueError`` for weights of another shape, negative, not finite or all zero.

        >>> from invscore.operators import Mosaic
        >>> Mosaic.bayer("RGGB", (3, 4, 6)).out_shape
        (1, 4, 6)
    """

    measured: Tensor | None

    def __init__(self, weights: Numbers, in_shape: Shape, dispersion: int = 0) -> None:
        weights = as_tensor("weights", weights)
        fits = not weights.is_complex() and bool((weights.isfinite() & (weights >= 0)).all())
        if not fits or not bool(weights.any()):
            raise ValueError("`weights` must be finite numbers from 0, not all of them 0")
        if len(in_shape) != 3 or weights.ndim != 3 or len(weights) != in_shape[0]:
            raise ValueError(
                f"`weights` must have shape ({in_shape[0]}, h, w) for images of shape "
                f"{tuple(in_shape)}, got {tuple(weights.shape)}"
            )
        if not isinstance(dispersion, int) or dispersion < 0:
            raise ValueError(f"`dispersion` must be a whole number from 0, got {dispersion}")
        channels, height, width = in_shape
        require_room_for_images(in_shape, 2)
        sensor = height * (width + dispersion * (channels - 1))
        require_room(sensor, f"the sensor of a `dispersion` of {dispersion}")
        repeats = (1, -(-height // weights.shape[1]), -(-width // weights.shape[2]))
        whole = weights.double().repeat(repeats)[:, :height, :width]
        self.in_shape = (channels, height, width)
        self.out_shape = (1, height, width + dispersion * (channels - 1))
        self.dispersion = dispersion
        size = self._summed(whole[None].square())[0].sqrt()
        self.measured = None if bool((size > 0).all()) else size > 0
        self._weights, self._size = Constant(whole), Constant(size)

    @classmethod
    def bayer(cls, pattern: str, in_shape: Shape) -> Self:
        """The mosaic of red, green and blue by a square pattern, row by row: ``"RGGB"``.

        36 letters are the 6 x 6 pixels of an X-Trans sensor.
        """
        side, letters = math.isqrt(len(pattern)), pattern.upper()
        if side * side != len(letters) or not letters or not set(letters) <= set(COLOURS):
            raise ValueError(
                "`pattern` must be the letters R, G and B of a square, such as RGGB, got "
                f"{pattern!r}"
            )
        return cls.of_bands([COLOURS.index(letter) for letter in letters], in_shape)

    @classmethod
    def of_bands(cls, bands: list[int] | tuple[int, ...], in_shape: Shape) -> Self:
        """Mosaic of one channel a pixel: the number of each in a square pattern, row by row."""
        side = math.isqrt(len(bands))
        if (
            side * side != len(bands)
            or not bands
            or not 0 <= min(bands) <= max(bands) < in_shape[0]
        ):
            raise ValueError(
                f"`bands` must be numbers from 0 to {in_shape[0] - 1} of a square pattern, got "
                f"{tuple(bands)}"
            )
        chosen = torch.tensor(bands).reshape(side, side)
        return cls((chosen == torch.arange(in_shape[0])[:, None, None]).double(), in_shape)

    @classmethod
    def coded_aperture(cls, mask: Tensor, channels: int, dispersion: int = 1) -> Self:
        """A ``mask`` (h, w) before all channels, which are then spread over the sensor."""
        require_room_for_images((channels, *mask.shape), 2)
        return cls(mask.double().expand(channels, *mask.shape), (channels, *mask.shape), dispersion)

    def matvec(self, x: Tensor) -> Tensor:
        return self._summed(self._weights.like(x) * x)

    def rmatvec(self, y: Tensor) -> Tensor:
        return self._weights.like(y) * self._spread(y)

    def svd(self, dtype: torch.dtype = torch.float32) -> SVD:
        size = torch.where(self._size.double > 0, self._size.double, 1.0)
        unit = self._size.beside(size)
        return SVD(
            s=self._size.at(dtype),
            u=unchanged,
            uh=unchanged,
            v=lambda c: self.rmatvec(c / unit.like(c)),
            vh=lambda x: self.matvec(x) / unit.like(x),
        )

    def _summed(self, x: Tensor) -> Tensor:
        """Channels, each where it arrives, added up: (b, c, h, w) -> (b, 1, h, w + ...)."""
        if not self.dispersion:
            return x.sum(dim=1, keepdim=True)
        last = len(x[0]) - 1
        parts = [
            torch.nn.functional.pad(
                x[:, c : c + 1], (self.dispersion * c, self.dispersion * (last - c))
            )
            for c in range(last + 1)
        ]
        return torch.stack(parts).sum(dim=0)

    def _spread(self, y: Tensor) -> Tensor:
        """The sensor's pixel for each pixel of each channel: (b, c, h, w), c of 1 if all alike."""
        if not self.dispersion:
            return y
        channels, _, width = self.in_shape
        starts = [self.dispersion * c for c in range(channels)]
        return torch.cat([y[..., start : start + width] for start in starts], dim=1)
