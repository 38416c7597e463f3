"""Blur against SciPy's convolutions, NumPy's Fourier transform and dense linear algebra."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import ndimage, signal
from torch import Tensor

from invscore.operators import Blur
from invscore.operators.kernels import disk_kernel, gaussian_kernel, motion_kernel

KERNEL_SIZES = [(1, 1), (3, 3), (4, 3), (2, 6), (5, 4), (9, 11)]


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def dense(operator: Blur) -> Tensor:
    """The matrix of the operator, column by column."""
    size = torch.Size(operator.in_shape).numel()
    basis = torch.eye(size, dtype=torch.float64).reshape(size, *operator.in_shape)
    return operator.matvec(basis).flatten(1).T


@pytest.mark.parametrize("size", KERNEL_SIZES)
@pytest.mark.parametrize(("boundary", "mode"), [("circular", "wrap"), ("reflect", "reflect")])
def test_same_size_against_ndimage(size: tuple[int, int], boundary: str, mode: str) -> None:
    kernel, x = random(*size), random(2, 3, 9, 11, seed=1)
    y = Blur(kernel, (3, 9, 11), boundary=boundary)(x)
    expected = [[ndimage.convolve(c, kernel, mode=mode) for c in image] for image in x.numpy()]
    np.testing.assert_allclose(y, np.array(expected), rtol=1e-12)


@pytest.mark.parametrize("size", KERNEL_SIZES)
def test_valid_against_scipy_signal(size: tuple[int, int]) -> None:
    kernel, x = random(*size), random(1, 1, 9, 11, seed=1)
    operator = Blur(kernel, (1, 9, 11), boundary="valid")
    expected = signal.convolve2d(x[0, 0], kernel, mode="valid")
    assert operator.out_shape == (1, *expected.shape)
    np.testing.assert_allclose(operator(x)[0, 0], expected, rtol=1e-12)


@pytest.mark.parametrize("boundary", ["circular", "reflect", "valid"])
@pytest.mark.parametrize("size", KERNEL_SIZES)
def test_adjoint_is_the_transposed_matrix(size: tuple[int, int], boundary: str) -> None:
    operator = Blur(random(*size), (1, 9, 11), boundary=boundary)
    u = random(1, *operator.out_shape, seed=2)
    expected = dense(operator).T @ u.flatten()
    torch.testing.assert_close(operator.rmatvec(u).flatten(), expected)


def test_circular_blur_of_a_point_is_the_kernel_around_it() -> None:
    kernel = random(4, 3)
    x = torch.zeros(1, 1, 9, 9, dtype=torch.float64)
    x[0, 0, 5, 4] = 1
    y = Blur(kernel, (1, 9, 9))(x)
    torch.testing.assert_close(y[0, 0, 3:7, 3:6], kernel)


@pytest.mark.parametrize("width", [10, 11])
def test_circular_solve_and_pinv_against_dense_algebra(width: int) -> None:
    operator = Blur(random(4, 5), (1, 9, width))
    a, b = dense(operator), random(2, 1, 9, width, seed=3)
    rho = torch.tensor([0.3, 2.0], dtype=torch.float64)
    solution = operator.solve(b, rho)
    for image, right, weight in zip(solution, b, rho, strict=True):
        expected = torch.linalg.solve(a.T @ a + weight * torch.eye(len(a)), right.flatten())
        torch.testing.assert_close(image.flatten(), expected)
    f = operator.svd(torch.float64)
    generic = f.v(f.vh(b) / (f.s**2 + rho.reshape(2, 1, 1, 1)))
    torch.testing.assert_close(generic, solution)
    expected = (torch.linalg.pinv(a, rtol=1e-12) @ b.flatten(1).T).T.reshape(b.shape)
    torch.testing.assert_close(operator.pinv(b), expected, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("width", [10, 11])
def test_circular_singular_values(width: int) -> None:
    operator = Blur(random(4, 5), (1, 9, width))
    s = operator.svd(torch.float64).s.flatten().sort().values
    torch.testing.assert_close(s, torch.linalg.svdvals(dense(operator)).flip(0))
    assert operator.norm() == pytest.approx(float(s[-1]))


@pytest.mark.parametrize("longest", [512, 1])
@pytest.mark.parametrize(("height", "width"), [(8, 9), (7, 10)])
def test_mirrored_kernels_have_a_decomposition_under_reflection(
    height: int, width: int, longest: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("invscore.operators.cosines.DENSE", longest)
    quarter = random(3, 2, seed=6) - 0.3
    half = torch.cat([quarter.flip(0), quarter[1:]])
    kernel = torch.cat([half.flip(1), half[:, 1:]], dim=1)
    operator = Blur(kernel, (1, height, width), boundary="reflect")
    a, b = dense(operator), random(2, 1, height, width, seed=3)
    f = operator.svd(torch.float64)
    torch.testing.assert_close(f.s.flatten().sort().values, torch.linalg.svdvals(a).flip(0))
    torch.testing.assert_close(f.u(f.s * f.vh(b)), operator(b))
    expected = torch.linalg.solve(a.T @ a + 0.1 * torch.eye(len(a)), b.flatten(1).T).T
    torch.testing.assert_close(operator.solve(b, 0.1).flatten(1), expected)
    with pytest.raises(NotImplementedError):
        Blur(kernel[1:], (1, height, width), boundary="reflect").svd()
    with pytest.raises(NotImplementedError):
        Blur(kernel + random(5, 3), (1, height, width), boundary="reflect").svd()


def test_svd_coefficients_of_real_images_are_real() -> None:
    operator = Blur(random(4, 5), (1, 9, 10))
    f, x = operator.svd(), torch.rand(1, 1, 9, 10)
    assert not f.vh(x).is_complex()
    assert not f.uh(x).is_complex()
    assert f.u(x).dtype == torch.float32


def test_pinv_gives_nothing_where_the_transfer_function_vanishes() -> None:
    operator = Blur(torch.full((2, 2), 0.25, dtype=torch.float64), (1, 8, 8))
    checkerboard = (-1.0) ** (torch.arange(8)[:, None] + torch.arange(8)).double()
    x = 1 + checkerboard.expand(1, 1, 8, 8)
    torch.testing.assert_close(operator(x), torch.ones_like(x))
    torch.testing.assert_close(operator.pinv(operator(x)), torch.ones_like(x))


@pytest.mark.parametrize("boundary", ["circular", "reflect", "valid"])
def test_autograd_agrees_with_the_adjoint(boundary: str) -> None:
    operator = Blur(random(4, 5), (1, 9, 10), boundary=boundary)
    x, u = random(1, 1, 9, 10).requires_grad_(), random(1, *operator.out_shape, seed=4)
    gradient = torch.autograd.grad((operator(x) * u).sum(), x)[0]
    torch.testing.assert_close(gradient, operator.rmatvec(u))


@pytest.mark.parametrize("boundary", ["circular", "reflect", "valid"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_precision_of_the_image_is_kept_and_used(boundary: str, dtype: torch.dtype) -> None:
    kernel, x = random(5, 5), random(1, 1, 16, 16, seed=5)
    operator = Blur(kernel, (1, 16, 16), boundary=boundary)
    mode = "valid" if boundary == "valid" else "same"
    expected = torch.from_numpy(signal.convolve2d(x[0, 0], kernel, mode=mode))
    y = operator(x.to(dtype))
    assert y.dtype == operator.rmatvec(y).dtype == operator.solve(x.to(dtype), 1.0).dtype == dtype
    inner = slice(None) if boundary == "valid" else slice(3, -3)
    error = (y[0, 0, inner, inner] - expected[inner, inner]).abs().max() / expected.max()
    assert error < 50 * torch.finfo(dtype).eps


def test_constructors_use_their_kernels() -> None:
    x, shape = random(1, 1, 20, 20), (1, 20, 20)
    for operator, kernel in [
        (Blur.gaussian(1.5, shape), gaussian_kernel(1.5)),
        (Blur.gaussian(1.5, shape, size=6, boundary="reflect"), gaussian_kernel(1.5, 6)),
        (Blur.motion(7, 20, shape, boundary="valid"), motion_kernel(7, 20)),
        (Blur.disk(2.5, shape), disk_kernel(2.5)),
    ]:
        assert torch.equal(operator(x), Blur(kernel, shape, boundary=operator.boundary)(x))


def test_kernel_files(tmp_path: Path) -> None:
    values = np.array([[0, 50, 0], [100, 250, 20], [0, 80, 0]], dtype=np.uint8)
    Image.fromarray(values).save(tmp_path / "kernel.png")
    np.save(tmp_path / "kernel.npy", values / 7.0)
    x = random(1, 1, 8, 8)
    expected = ndimage.convolve(x[0, 0].numpy(), values / 500.0, mode="wrap")
    for name in ("kernel.png", "kernel.npy"):
        np.testing.assert_allclose(Blur.from_file(tmp_path / name, (1, 8, 8))(x)[0, 0], expected)


def test_errors_name_what_is_wrong(tmp_path: Path) -> None:
    shape = (1, 8, 8)
    with pytest.raises(ValueError, match=r"`kernel` must have .* \(8, 8\), got \(9, 3\)"):
        Blur(torch.ones(9, 3), shape)
    with pytest.raises(
        ValueError, match=r"`kernel` must have a shape from \(1, 1\) .*, got \(0, 3\)"
    ):
        Blur(torch.ones(0, 3), shape)
    with pytest.raises(ValueError, match=r"`kernel` must have a shape .*, got \(1, 3, 3\)"):
        Blur(torch.ones(1, 3, 3), shape)
    with pytest.raises(ValueError, match="NaN or infinite"):
        Blur(torch.tensor([[1.0, float("nan")]]), shape)
    with pytest.raises(ValueError, match="must have a sum other than 0"):
        Blur(torch.tensor([[1.0, -1.0]]), shape)
    with pytest.raises(ValueError, match="must be one of circular, reflect, valid, got 'mirror'"):
        Blur(torch.ones(1, 1), shape, boundary="mirror")
    with pytest.raises(ValueError, match="no such file"):
        Blur.from_file(tmp_path / "none.png", shape)
    (tmp_path / "text.png").write_text("not an image")
    with pytest.raises(ValueError, match="cannot be read"):
        Blur.from_file(tmp_path / "text.png", shape)
    np.save(tmp_path / "cube.npy", np.ones((2, 2, 2)))
    with pytest.raises(ValueError, match=r"must have shape \(h, w\), got \(2, 2, 2\)"):
        Blur.from_file(tmp_path / "cube.npy", shape)


@pytest.mark.parametrize("boundary", ["valid", "reflect"])
def test_the_norm_is_found_once(boundary: str, monkeypatch: pytest.MonkeyPatch) -> None:
    operator = Blur.motion(5, 30, (1, 12, 9), boundary=boundary)
    unit = torch.eye(108, dtype=torch.float64).reshape(108, 1, 12, 9)
    largest = torch.linalg.matrix_norm(operator.matvec(unit).flatten(1), 2)
    assert operator.norm() == pytest.approx(float(largest), rel=0.01)
    monkeypatch.setattr(type(operator._convolution), "normal", None)
    assert operator.norm() == pytest.approx(float(largest), rel=0.01)
