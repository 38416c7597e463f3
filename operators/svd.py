"""The singular value decomposition of an operator."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class SVD:
    """``A = U diag(s) V^H``, the factors given by what they do to a batch.

    ``s`` broadcasts against the coefficients, (b, \\*coefficients); singular values may be zero,
    and where they are, U may be zero too. ``complete`` says that V spans all images, so that
    ``v(vh(x)) = x``; where it does not, the rest of the image is in the null space of A.

    >>> import torch
    >>> from invscore.operators import SuperResolution
    >>> factors = SuperResolution(2, in_shape=(1, 8, 8)).svd()
    >>> x = torch.rand(1, 1, 8, 8)
    >>> y = factors.u(factors.s * factors.vh(x))
    >>> y.shape
    torch.Size([1, 1, 4, 4])
    """

    s: Tensor
    u: Callable[[Tensor], Tensor]
    uh: Callable[[Tensor], Tensor]
    v: Callable[[Tensor], Tensor]
    vh: Callable[[Tensor], Tensor]
    complete: bool = False

    @property
    def seen(self) -> Tensor:
        """Mask of the singular values that are more than rounding errors, of the shape of ``s``."""
        return self.s > 100 * torch.finfo(self.s.dtype).eps * self.s.max()


def unchanged(coefficients: Tensor) -> Tensor:
    """The factor of an SVD that is the identity."""
    return coefficients
