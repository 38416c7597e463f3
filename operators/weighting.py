"""Numbers of a measurement, each with a weight of its own."""

from __future__ import annotations

from torch import Tensor

from invscore.operators.base import LinearOperator
from invscore.operators.constant import Constant


class Weighting(LinearOperator):
    """``w y``: ``weights``, real and from 0, of the shape of one measurement.

    What has no weight is not measured. Raises ``ValueError`` for weights that are negative, not
    finite or all zero.
    """

    measured: Tensor | None

    def __init__(self, weights: Tensor, complex: bool = False) -> None:
        fits = not weights.is_complex() and bool((weights.isfinite() & (weights >= 0)).all())
        if not fits or not bool(weights.any()):
            raise ValueError("`weights` must be finite numbers from 0, not all of them 0")
        self.in_shape = self.out_shape = tuple(weights.shape)
        self.in_complex = self.out_complex = complex
        self.measured = None if bool((weights > 0).all()) else weights > 0
        self._weights = Constant(weights)

    @property
    def weights(self) -> Tensor:
        """The weight of each number of a measurement, (\\*out_shape) float64."""
        return self._weights.double

    def matvec(self, x: Tensor) -> Tensor:
        return self._weights.at(x.dtype) * x

    def rmatvec(self, y: Tensor) -> Tensor:
        return self._weights.at(y.dtype) * y

    def norm(self) -> float:
        return float(self._weights.double.max())
