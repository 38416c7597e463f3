"""The real orthonormal Fourier basis, and sizes that the fast Fourier transform likes."""

from __future__ import annotations

import torch
from torch import Tensor

LARGE = 2**20
"""Numbers of a batch from which on operations in place save memory at the price of more of them."""

FAST = (2, 3, 5)
"""Prime factors of sizes that every library of transforms is quick at."""

ORTHO = 1
"""Code of ``norm="ortho"`` in torch's own FFT functions."""


def hartley(x: Tensor, axes: tuple[int, ...] = (-2, -1)) -> Tensor:
    """The orthonormal Hartley transform of real images over ``axes``, the last two by default.

    Its basis, ``cos + sin`` of each frequency, is real and diagonalises every convolution whose
    transfer function is even and real; the transform is symmetric and its own inverse
    (Bracewell 1983).
    """
    if x.numel() <= LARGE and x.device.type != "mps":
        # Of all frequencies at once, as torch.fft has it along one axis alone.
        whole = torch._fft_r2c(x, [axis % x.ndim for axis in axes], ORTHO, onesided=False)
        return whole.real - whole.imag
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


def radii(sizes: tuple[int, ...]) -> Tensor:
    """How far frequencies are from zero, which is at ``n // 2``, in cycles a pixel: (\\*sizes)."""
    squares = torch.zeros(())
    for axis, n in enumerate(sizes):
        places = ((torch.arange(n) - n // 2) / n).square()
        squares = squares + places.reshape(-1, *[1] * (len(sizes) - axis - 1))
    return squares.sqrt()


def fast_size(size: int) -> int:
    """The smallest even number, at least ``size``, with no prime factor above 5."""
    size = max(2, size + size % 2)
    while _without(size, FAST) > 1:
        size += 2
    return size


def _without(number: int, factors: tuple[int, ...]) -> int:
    """The factor left of a ``number`` where these prime ``factors`` are divided out."""
    for factor in factors:
        while number % factor == 0:
            number //= factor
    return number
