"""The real orthonormal Fourier basis, and sizes that the fast Fourier transform likes."""

from __future__ import annotations

import torch
from torch import Tensor


def hartley(x: Tensor, axes: tuple[int, ...] = (-2, -1)) -> Tensor:
    """The orthonormal Hartley transform of real images over ``axes``, the last two by default.

    Its basis, ``cos + sin`` of each frequency, is real and diagonalises every convolution whose
    transfer function is even and real; the transform is symmetric and its own inverse
    (Bracewell 1983).
    """
    spectrum = torch.fft.fftn(x, dim=axes, norm="ortho")
    return spectrum.real - spectrum.imag


def cosine_basis(size: int) -> Tensor:
    """The orthonormal cosine transform of type II as a float64 matrix, a frequency a row."""
    n = torch.arange(size, dtype=torch.float64)
    basis = (2 / size) ** 0.5 * torch.cos(torch.pi / size * torch.outer(n, n + 0.5))
    basis[0] /= 2**0.5
    return basis


def fast_size(size: int) -> int:
    """The smallest even number, at least ``size``, with no prime factor above 5."""
    from scipy.fft import next_fast_len  # a tenth of a second that most operators do without

    return 2 * next_fast_len((size + 1) // 2, real=True)
