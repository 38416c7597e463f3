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
    last, others = axes[-1], axes[:-1]
    half = torch.fft.rfftn(x, dim=axes, norm="ortho")
    waves = half.real - half.imag
    opposed = (half.real + half.imag).narrow(last, 1, (x.shape[last] - 1) // 2)
    del half
    opposed = opposed.flip(axes)
    long = [axis for axis in others if x.shape[axis] > 1]
    if long:  # the frequency 0 stays in its place
        opposed = opposed.roll([1] * len(long), long)
    return torch.cat([waves, opposed], dim=last)


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
