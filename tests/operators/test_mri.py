"""MRI against NumPy's Fourier transform and dense algebra."""

import numpy as np
import pytest
import torch
from torch import Tensor

from invscore.operators import MRI, check_operator
from invscore.operators.fourier import hartley

SIZES = [(8, 12), (9, 12), (8, 11), (9, 11), (10, 6)]


def centred_fft(x: Tensor) -> np.ndarray:
    axes = (-2, -1)
    shifted = np.fft.ifftshift(x.numpy(), axes=axes)
    return np.fft.fftshift(np.fft.fft2(shifted, norm="ortho"), axes=axes)


def image(size: tuple[int, int], real: bool) -> Tensor:
    dtype = torch.float64 if real else torch.complex128
    return torch.randn(2, 1, *size, dtype=dtype, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("real", [False, True])
@pytest.mark.parametrize("size", SIZES)
def test_forward_is_the_centred_transform_times_the_mask(size: tuple[int, int], real: bool) -> None:
    operator, x = MRI.random((1, *size), acceleration=2, real=real), image(size, real)
    y = operator(x)
    expected = np.where(operator.measured.numpy(), centred_fft(x), 0)
    np.testing.assert_allclose(y, expected, rtol=1e-10, atol=1e-12)
    assert bool((y[..., ~operator.measured[0]] == 0).all())


def test_a_constant_image_is_the_middle_of_k_space() -> None:
    for size in SIZES:
        operator = MRI(torch.ones(*size, dtype=torch.bool))
        y = operator(torch.ones(1, 1, *size, dtype=torch.complex128))
        assert float(y[0, 0, size[0] // 2, size[1] // 2].real) == pytest.approx(
            (size[0] * size[1]) ** 0.5
        )
        assert float(y.abs().sum()) == pytest.approx(float(y.abs().max()))


def test_fully_sampled_is_unitary() -> None:
    x = image((8, 12), real=False)
    operator = MRI(torch.ones(12, dtype=torch.bool), (1, 8, 12))
    torch.testing.assert_close(operator.rmatvec(operator(x)), x)
    torch.testing.assert_close(operator.pinv(operator(x)), x)


@pytest.mark.parametrize("size", SIZES)
def test_real_closed_forms_against_dense_algebra(size: tuple[int, int]) -> None:
    mask = torch.rand(*size, generator=torch.Generator().manual_seed(1)) < 0.5
    operator, b = MRI(mask, real=True), image(size, real=True)
    pixels = size[0] * size[1]
    basis = torch.eye(pixels, dtype=torch.float64).reshape(-1, 1, *size)
    a = torch.view_as_real(operator(basis)).flatten(1).T
    rho = torch.tensor([0.3, 2.0], dtype=torch.float64)
    matrices = a.T @ a + rho[:, None, None] * torch.eye(pixels)
    expected = torch.linalg.solve(matrices, b.reshape(2, -1, 1)).reshape(b.shape)
    torch.testing.assert_close(operator.solve(b, rho), expected)
    s = operator.svd(torch.float64).s.flatten().sort().values
    torch.testing.assert_close(s, torch.linalg.svdvals(a).flip(0), atol=1e-7, rtol=1e-7)
    y = torch.view_as_complex(torch.randn(2, 1, *size, 2, dtype=torch.float64))
    flat = torch.view_as_real(y).flatten(1)
    expected = (flat @ torch.linalg.pinv(a, rtol=1e-7).T).reshape(b.shape)
    torch.testing.assert_close(operator.pinv(y), expected)


def test_complex_solve() -> None:
    operator, b = MRI.random((1, 8, 12), acceleration=2), image((8, 12), real=False)
    x = operator.solve(b, 0.5)
    torch.testing.assert_close(operator.rmatvec(operator(x)) + 0.5 * x, b)


def test_autograd_agrees_with_the_adjoint() -> None:
    for real in (False, True):
        operator = MRI.random((1, 9, 12), acceleration=2, real=real)
        x = image((9, 12), real).requires_grad_()
        u = operator(image((9, 12), real)) * (1 + 2j)
        gradient = torch.autograd.grad(operator(x), x, u)[0]
        torch.testing.assert_close(gradient, operator.rmatvec(u))


def test_precision_is_kept() -> None:
    for real, dtype in ((False, torch.complex64), (True, torch.float32)):
        operator = MRI.random((1, 9, 12), acceleration=2, real=real)
        x = torch.ones(1, 1, 9, 12, dtype=dtype)
        assert operator(x).dtype == torch.complex64
        assert operator.rmatvec(operator(x)).dtype == dtype
        assert operator.solve(x, 1.0).dtype == operator.pinv(operator(x)).dtype == dtype
        assert (operator.in_complex, operator.out_complex) == (not real, True)


def test_hartley_is_its_own_inverse_and_orthonormal() -> None:
    for size in SIZES:
        x = image(size, real=True)
        torch.testing.assert_close(hartley(hartley(x)), x)
        torch.testing.assert_close(hartley(x).norm(), x.norm())


def test_hartley_is_cosine_plus_sine() -> None:
    rows, columns = torch.arange(4.0).double()[:, None], torch.arange(5.0).double()
    angle = 2 * torch.pi * (1 * rows / 4 + 2 * columns / 5)
    point = torch.zeros(4, 5, dtype=torch.float64)
    point[1, 2] = 1
    torch.testing.assert_close(hartley(point), (angle.cos() + angle.sin()) / 20**0.5)


def test_errors() -> None:
    lines = torch.ones(6, dtype=torch.bool)
    with pytest.raises(
        ValueError, match=r"`mask` must have .* image of shape \(1, 6, 8\), got \(6,\)"
    ):
        MRI(lines, (1, 6, 8))
    with pytest.raises(
        ValueError, match=r"`mask` must have .* image of shape \(1, 6\), got \(6,\)"
    ):
        MRI(lines)
    with pytest.raises(ValueError, match=r"`mask` must be a boolean tensor, got torch.int64"):
        MRI(lines.long(), (1, 6, 6))
    with pytest.raises(ValueError, match="must measure at least one entry"):
        MRI(~lines, (1, 6, 6))


@pytest.mark.parametrize("real", [False, True])
def test_three_dimensions(real: bool) -> None:
    """Against NumPy's transform of the volume; A^T A is diagonal where images are real."""
    generator = torch.Generator().manual_seed(0)
    mask = torch.rand(4, 6, 1, generator=generator) < 0.5
    operator = MRI(mask, (1, 4, 6, 5), real, dimensions=3)
    check_operator(operator).raise_if_failed()
    x = torch.randn(2, 1, 4, 6, 5, dtype=torch.float64, generator=generator)
    x = x if real else torch.complex(x, x.flip(-1))
    axes = (-3, -2, -1)
    whole = np.fft.fftn(np.fft.ifftshift(x.numpy(), axes=axes), axes=axes, norm="ortho")
    expected = np.fft.fftshift(whole, axes=axes) * mask.numpy()
    np.testing.assert_allclose(operator(x).numpy(), expected, atol=1e-12)
    f = operator.svd(torch.float64)
    torch.testing.assert_close(f.u(f.s * f.vh(x)), operator(x))
    torch.testing.assert_close(f.v(f.vh(x)), x)


def test_three_dimensions_need_a_volume() -> None:
    seen = torch.ones(4, 6, 5, dtype=torch.bool)
    assert MRI(seen, dimensions=3).in_shape == (1, 4, 6, 5)
    with pytest.raises(ValueError, match=r"`dimensions` must be 2, or 3 of volumes \(c, d, h, w\)"):
        MRI(seen, (4, 6, 5), dimensions=3)
    with pytest.raises(
        ValueError, match=r"shape \(4, 6, 5\) in three dimensions, or 1 .* \(6, 5\)"
    ):
        MRI(seen[0], (1, 4, 6, 5), dimensions=3)
