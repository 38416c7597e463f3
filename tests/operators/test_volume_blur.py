"""Blur of volumes, beside SciPy's convolution."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import signal

from invscore.operators import VolumeBlur

F64 = torch.float64


@pytest.mark.parametrize("size", [(3, 4, 5), (1, 2, 3), (4, 3, 2)])
def test_it_is_a_convolution(size: tuple[int, int, int]) -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(1, 1, 6, 8, 7, dtype=F64, generator=generator)
    kernel = torch.rand(size, dtype=F64, generator=generator)
    valid = VolumeBlur(kernel, (1, 6, 8, 7), boundary="valid")(x)[0, 0].numpy()
    expected = signal.convolve(x[0, 0].numpy(), kernel.numpy(), mode="valid", method="direct")
    np.testing.assert_allclose(valid, expected)
    circular = VolumeBlur(kernel, (1, 6, 8, 7))(x)[0, 0].numpy()
    padded = np.zeros((6, 8, 7))
    padded[tuple(slice(k) for k in size)] = kernel.numpy()
    padded = np.roll(padded, [-(k // 2) for k in size], axis=(0, 1, 2))
    expected = sum(
        padded[i, j, k] * np.roll(x[0, 0].numpy(), (i, j, k), axis=(0, 1, 2))
        for i, j, k in np.ndindex(padded.shape)
    )
    np.testing.assert_allclose(circular, expected)


def test_the_window_is_what_is_seen() -> None:
    operator = VolumeBlur(torch.ones(3, 5, 1), (1, 7, 9, 4), boundary="valid")
    assert operator.window is not None
    point = torch.zeros(1, 1, 7, 9, 4, dtype=F64)
    point[0, 0, 3, 4, 2] = 1
    kernel = torch.zeros(3, 5, 1)
    kernel[1, 2, 0] = 1
    sharp = VolumeBlur(kernel, (1, 7, 9, 4), boundary="valid")
    torch.testing.assert_close(sharp(point), point[(..., *operator.window)])


@pytest.mark.parametrize(
    ("kernel", "boundary", "message"),
    [
        (torch.ones(3, 3), "valid", r"must have a shape from \(1, 1, 1\) to .*, got \(3, 3\)"),
        (torch.ones(9, 3, 3), "valid", r"to the size of the volume, \(4, 5, 6\), got \(9, 3, 3\)"),
        (torch.zeros(3, 3, 3), "valid", "must be finite, of a sum other than 0"),
        (torch.ones(3, 3, 3), "reflect", "`boundary` must be circular or valid for volumes"),
    ],
)
def test_errors(kernel: torch.Tensor, boundary: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        VolumeBlur(kernel, (1, 4, 5, 6), boundary=boundary)
