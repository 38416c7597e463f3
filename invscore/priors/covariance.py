"""Covariance matrices known by their eigenvalues and eigenvectors."""

from __future__ import annotations

import copy
from typing import Self

import torch
from torch import Tensor

from invscore.hardware.doubles import doubled


class Covariance:
    """``C = V diag(values) V^T`` on flattened images: ``values`` (d,), ``basis`` V (d, d).

    Without a basis the covariance is diagonal. Both are taken as they are, unchecked.

    >>> import torch
    >>> from invscore.priors import Covariance
    >>> Covariance(torch.tensor([4.0, 1.0])).matrix
    tensor([[4., 0.],
            [0., 1.]])
    """

    def __init__(self, values: Tensor, basis: Tensor | None = None) -> None:
        self.values, self.basis = values, basis

    @classmethod
    def of(
        cls,
        covariance: float | Tensor | Covariance,
        d: int,
        dtype: torch.dtype,
        device: torch.device | None = None,
    ) -> Covariance:
        """That of a variance, variances (d,), a positive semi-definite (d, d) or another one.

        It has that ``dtype`` and is on ``device``, where none is given on that of ``covariance``.

        Raises ``ValueError`` for any other shape, for values that are not finite, for a matrix
        that is not symmetric and for a variance (or an eigenvalue) that is negative.
        """
        if isinstance(covariance, Covariance):
            if len(covariance.values) != d:
                raise ValueError(
                    f"`covariance` must be one of {d} numbers, as the mean is, got "
                    f"{len(covariance.values)}"
                )
            return covariance.to(device, dtype)
        matrix = torch.as_tensor(covariance, dtype=dtype, device=device)
        if tuple(matrix.shape) not in {(), (d,), (d, d)}:
            raise ValueError(
                f"`covariance` must be a number or of shape ({d},) or ({d}, {d}), as the mean "
                f"is, got the shape {tuple(matrix.shape)}"
            )
        if not bool(matrix.isfinite().all()):
            raise ValueError("`covariance` must be finite, got NaN or infinite values")
        if matrix.ndim < 2:
            if bool((matrix < 0).any()):
                raise ValueError(
                    f"`covariance` must have variances of at least 0, got {float(matrix.min())}"
                )
            return cls(matrix.expand(d).contiguous())
        rounding = 10 * d * torch.finfo(dtype).eps * float(matrix.abs().max())
        if float((matrix - matrix.T).abs().max()) > rounding:
            raise ValueError("`covariance` must be symmetric")
        values, basis = torch.linalg.eigh(doubled(matrix))
        if float(values.min()) < -rounding:
            raise ValueError(
                "`covariance` must be positive semi-definite, got the eigenvalue "
                f"{float(values.min())}"
            )
        # What eigh leaves of a zero is a zero again: a singular matrix has no density.
        zero = 10 * d * torch.finfo(torch.float64).eps * values.max()
        return cls(torch.where(values > zero, values, 0).to(matrix), basis.to(matrix))

    @property
    def isotropic(self) -> bool:
        """Whether it is a multiple of the identity, and known to be."""
        return self.basis is None and bool((self.values == self.values[0]).all())

    @property
    def diagonal(self) -> Tensor:
        """The variances of the entries, (d,)."""
        return self.values if self.basis is None else self.basis.square() @ self.values

    @property
    def matrix(self) -> Tensor:
        """The dense matrix, (d, d)."""
        if self.basis is None:
            return self.values.diag()
        return (self.basis * self.values) @ self.basis.T

    def analyse(self, x: Tensor) -> Tensor:
        """Coefficients in the eigenbasis, ``V^T x``: (b, d) -> (b, d)."""
        return x if self.basis is None else x @ self.basis

    def synthesise(self, coefficients: Tensor) -> Tensor:
        """``V`` times the coefficients: (b, d) -> (b, d)."""
        return coefficients if self.basis is None else coefficients @ self.basis.T

    def to(
        self, device: torch.device | str | None = None, dtype: torch.dtype | None = None
    ) -> Self:
        """A copy on ``device`` and in ``dtype``."""
        moved = copy.copy(self)
        moved.values = self.values.to(device, dtype)
        moved.basis = None if self.basis is None else self.basis.to(device, dtype)
        return moved


def shrinkage(values: Tensor, level: Tensor) -> Tensor:
    """``values / (values + level^2)``, 0 where both are 0: the gain of the denoiser."""
    total = values + level**2
    return values / torch.where(total > 0, total, 1.0)


def precision(values: Tensor, level: Tensor) -> Tensor:
    """``1 / (values + level^2)``. Raises ``ValueError`` where that is infinite."""
    total = values + level**2
    if not bool((total > 0).all()):
        raise ValueError(
            "sigma is 0 and the covariance singular: there is no density, sigma > 0 is"
        )
    return 1 / total
