"""Cosines by Fourier transforms against their matrix, in double precision."""

import pytest
import torch
from scipy.fft import dct

from invscore.operators.cosines import Cosines, cosine_basis


@pytest.mark.parametrize("size", [513, 516, 600])
@pytest.mark.parametrize("axis", [-1, -2])
def test_long_lines_against_scipy(size: int, axis: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("invscore.operators.cosines.SLAB", 2000)  # a few lines at once
    shape = (2, 2, 7, size) if axis == -1 else (2, 2, size, 7)
    x = torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    cosines = Cosines(size, axis)
    assert not cosines.dense
    expected = torch.from_numpy(dct(x.numpy(), norm="ortho", axis=axis))
    torch.testing.assert_close(cosines.vh(x), expected, rtol=0, atol=1e-12)
    torch.testing.assert_close(cosines.v(expected), x, rtol=0, atol=1e-12)
    single = cosines.vh(x.float())
    torch.testing.assert_close(single, expected.float(), rtol=0, atol=1e-5)


@pytest.mark.parametrize("size", [1, 2, 9])
def test_short_lines_are_multiplied(size: int) -> None:
    eye = torch.eye(size, dtype=torch.float64)
    cosines = Cosines(size, -1)
    assert cosines.dense
    torch.testing.assert_close(cosines.vh(eye[None])[0].mT, cosine_basis(size))
    torch.testing.assert_close(cosines.v(cosines.vh(eye[None]))[0], eye)


@pytest.mark.parametrize("transform", ["vh", "v"])
def test_long_lines_have_derivatives(transform: str) -> None:
    cosines = Cosines(514, -2)
    x = torch.rand(1, 1, 514, 2, dtype=torch.float64, requires_grad=True)
    u = torch.rand(1, 1, 514, 2, dtype=torch.float64)
    opposite = {"vh": cosines.v, "v": cosines.vh}[transform]
    gradient = torch.autograd.grad((getattr(cosines, transform)(x) * u).sum(), x)[0]
    torch.testing.assert_close(gradient, opposite(u))
    assert torch.func.vmap(getattr(cosines, transform))(u[None])[0].shape == u.shape
