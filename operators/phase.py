"""Phase retrieval: magnitudes of a Fourier transform."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.fft import fft2, fftshift

from invscore.operators.base import NonlinearOperator, Shape
from invscore.operators.memory_check import require_room


class PhaseRetrieval(NonlinearOperator):
    """``y = |F P x|``, P zeros around the image and F the orthonormal Fourier transform.

    Images (c, h, w) are real, or complex with ``complex=True``. P adds ``oversampling / 8`` of the
    size to each side, as in the papers: ``oversampling=2`` makes 384 of 256 pixels, 2.25 times as
    many numbers. y is (c, H, W), its zero frequency at ``(H // 2, W // 2)``, and
    ``sum |y|^2 = sum |x|^2``; with ``squared=True`` it is ``|F P x|^2``, the intensity. Nothing
    tells x from its half turn, nor from shifts within the zeros, nor from -x.

    A magnitude has no derivative at 0: there ``jvp`` and ``vjp`` take 0, a subgradient. Raises
    ``ValueError`` for an image that is not (c, h, w) or a negative ``oversampling``.

        >>> from invscore.operators import PhaseRetrieval
        >>> PhaseRetrieval((1, 8, 8)).out_shape
        (1, 12, 12)
    """

    view = "spectrum"

    def __init__(
        self,
        in_shape: Shape,
        oversampling: float = 2.0,
        squared: bool = False,
        complex: bool = False,
    ) -> None:
        if len(in_shape) != 3:
            raise ValueError(
                f"`in_shape` must be that of an image, (c, h, w), got {tuple(in_shape)}"
            )
        if not 0 <= oversampling < float("inf"):
            raise ValueError(f"`oversampling` must be at least 0, got {oversampling}")
        channels, height, width = in_shape
        self._above, self._left = (round(oversampling / 8 * size) for size in (height, width))
        self.in_shape = (channels, height, width)
        self.out_shape = (channels, height + 2 * self._above, width + 2 * self._left)
        require_room(math.prod(self.out_shape), f"a spectrum of `oversampling` {oversampling:g}")
        self.in_complex, self.squared = complex, squared

    def __call__(self, x: Tensor) -> Tensor:
        sides = (self._left, self._left, self._above, self._above)
        waves = fft2(torch.nn.functional.pad(x, sides), norm="ortho")
        seen = waves.real**2 + waves.imag**2 if self.squared else waves.abs()
        return fftshift(seen, dim=(-2, -1))
