"""Super-resolution against torch's anti-aliased resize, block means and dense algebra."""

from functools import partial

import numpy as np
import pytest
import torch
from torch.nn.functional import avg_pool2d, interpolate

from invscore.operators import SeparableOperator, SuperResolution, check_operator, cosines
from invscore.operators.superresolution import decimation_matrix

generator = torch.Generator().manual_seed(0)
left = torch.randn(3, 5, dtype=torch.float64, generator=generator)
right = torch.randn(4, 6, dtype=torch.float64, generator=generator)


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_bicubic_against_torch_on_the_interior(factor: int) -> None:
    x = torch.rand(2, 3, 12 * factor, 10 * factor, dtype=torch.float64, generator=generator)
    y = SuperResolution(factor, tuple(x.shape[1:]))(x)
    expected = interpolate(x, size=(12, 10), mode="bicubic", antialias=True)
    assert y.shape == expected.shape
    torch.testing.assert_close(y[..., 2:-2, 2:-2], expected[..., 2:-2, 2:-2])


@pytest.mark.parametrize("factor", [2, 4])
def test_bicubic_mirrors_at_the_boundary(factor: int) -> None:
    x = torch.rand(1, 1, 8 * factor, 8 * factor, dtype=torch.float64, generator=generator)
    padding = ((0, 0), (0, 0), (4 * factor, 4 * factor), (4 * factor, 4 * factor))
    padded = torch.from_numpy(np.pad(x.numpy(), padding, mode="symmetric"))
    expected = interpolate(padded, size=(16, 16), mode="bicubic", antialias=True)
    y = SuperResolution(factor, (1, 8 * factor, 8 * factor))(x)
    torch.testing.assert_close(y, expected[..., 4:-4, 4:-4])


def test_box_is_the_block_mean() -> None:
    x = torch.rand(1, 2, 8, 12, dtype=torch.float64, generator=generator)
    torch.testing.assert_close(SuperResolution(4, (2, 8, 12), "box")(x), avg_pool2d(x, 4))


@pytest.mark.parametrize("kernel", ["bicubic", "box", "gaussian"])
def test_constants_are_kept_and_ramps_decimated(kernel: str) -> None:
    operator = SuperResolution(2, (1, 24, 24), kernel)
    ramp = torch.arange(24.0, dtype=torch.float64).expand(1, 1, 24, 24)
    y = operator(ramp)
    expected = 0.5 + 2 * torch.arange(12, dtype=torch.float64)
    torch.testing.assert_close(y[0, 0, 5, 3:-3], expected[3:-3])
    ones = torch.ones_like(ramp)
    torch.testing.assert_close(operator(ones), ones[..., :12, :12])


def test_gaussian_has_half_a_large_pixel_of_standard_deviation() -> None:
    row = decimation_matrix(96, 8, "gaussian")[6]
    position = torch.arange(96, dtype=torch.float64) - (6.5 * 8 - 0.5)
    assert float(row @ position**2) == pytest.approx(16, rel=0.01)


def test_closed_forms_against_dense_algebra() -> None:
    operator = SeparableOperator(left, right, (2, 5, 6))
    x = torch.randn(2, 2, 5, 6, dtype=torch.float64, generator=generator)
    a = torch.kron(left, right)
    torch.testing.assert_close(operator(x), (x.flatten(2) @ a.T).reshape(2, 2, 3, 4))
    rho = torch.tensor([0.2, 5.0], dtype=torch.float64)
    matrices = a.T @ a + rho[:, None, None] * torch.eye(30)
    expected = torch.linalg.solve(matrices, x.flatten(2).mT).mT.reshape(x.shape)
    torch.testing.assert_close(operator.solve(x, rho), expected)
    y = operator(x)
    expected = (y.flatten(2) @ torch.linalg.pinv(a).T).reshape(x.shape)
    torch.testing.assert_close(operator.pinv(y), expected)
    assert operator.norm() == pytest.approx(float(torch.linalg.svdvals(a)[0]))


@pytest.mark.parametrize("dense", [512, 1])
@pytest.mark.parametrize("kernel", ["bicubic", "box", "gaussian"])
@pytest.mark.parametrize("factor", [1, 2, 3, 4, (1, 2), (3, 1)])
def test_cosines_are_the_singular_vectors(
    factor: int | tuple[int, int], kernel: str, dense: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cosines, "DENSE", dense)
    monkeypatch.setattr(cosines, "SLAB", 50)
    operator = SuperResolution(factor, (2, 12, 24), kernel)
    down, across = (factor, factor) if isinstance(factor, int) else factor
    rows, columns = decimation_matrix(12, down, kernel), decimation_matrix(24, across, kernel)
    x = torch.randn(2, 2, 12, 24, dtype=torch.float64, generator=generator)
    y = rows @ x @ columns.mT
    f = operator.svd(torch.float64)
    same = partial(torch.testing.assert_close, rtol=0, atol=1e-12)
    same(operator(x), y)
    same(operator.rmatvec(y), rows.mT @ y @ columns)
    same(f.u(f.s * f.vh(x)), y)
    same(operator.normal(x), operator.rmatvec(y))
    c = torch.randn(y.shape, dtype=torch.float64, generator=generator)
    same(f.vh(f.v(c)), c)
    same(f.uh(f.u(c)), c)
    expected = torch.linalg.svdvals(torch.kron(rows, columns))
    same(f.s.flatten().sort(descending=True).values, expected)


def test_solve_in_single_precision_with_a_small_weight() -> None:
    operator, rho = SuperResolution(4, (1, 64, 64)), 1e-4
    b = torch.rand(1, 1, 64, 64, generator=generator)
    b = operator.normal(b) + rho * b
    x = operator.solve(b, rho)
    residual = operator.normal(x.double()) + rho * x.double() - b
    assert float(residual.norm() / b.norm()) < 3e-6


@pytest.mark.parametrize("kernel", ["bicubic", "box", "gaussian"])
def test_columns_alone_are_decimated(kernel: str) -> None:
    operator = SuperResolution((1, 3), (1, 4, 12), kernel)
    assert operator.out_shape == (1, 4, 4)
    check_operator(operator).raise_if_failed()
    x = torch.rand(1, 1, 4, 12, dtype=torch.float64)
    alone = SuperResolution(3, (1, 12, 12), kernel)
    # Rows as those of an image whose rows are all alike.
    for row in range(4):
        alike = x[:, :, row : row + 1].expand(1, 1, 12, 12)
        torch.testing.assert_close(operator(x)[0, 0, row], alone(alike)[0, 0, 0])


def test_errors() -> None:
    with pytest.raises(
        ValueError, match=r"`factor` must be a divisor of the image's height 8 and .*, got 3"
    ):
        SuperResolution(3, (1, 8, 9))
    with pytest.raises(ValueError, match=r"`factor` must be a divisor .*, got 0"):
        SuperResolution(0, (1, 8, 9))
    with pytest.raises(
        ValueError, match="`kernel` must be one of bicubic, box, gaussian, got 'nearest'"
    ):
        SuperResolution(2, (1, 8, 8), "nearest")
    with pytest.raises(ValueError, match=r"in_shape is \(1, 6, 5\): the matrices act on \(5, 6\)"):
        SeparableOperator(left, right, (1, 6, 5))


@pytest.mark.parametrize(
    ("factor", "shape", "kernel"),
    [
        (2, (1, 8, 12), "bicubic"),
        (4, (3, 8, 16), "gaussian"),
        ((1, 3), (2, 7, 9), "box"),
        (2, (1, 4, 520), "bicubic"),  # whose lines are too long for a matrix
    ],
)
def test_sums_of_cosines_are_the_singular_vectors(
    factor: int | tuple[int, int], shape: tuple[int, int, int], kernel: str
) -> None:
    operator = SuperResolution(factor, shape, kernel)
    svd = operator.svd(torch.float64)
    rows, columns = cosines.Cosines(shape[1], -2), cosines.Cosines(shape[2], -1)
    x = torch.rand(2, *shape, dtype=torch.float64, generator=generator)
    c = columns.vh(rows.vh(x))
    torch.testing.assert_close(operator.summed(c), svd.vh(x), rtol=0, atol=1e-12)
    u = torch.rand(2, *operator.out_shape, dtype=torch.float64, generator=generator)
    image = columns.v(rows.v(operator.parted(u)))
    torch.testing.assert_close(image, svd.v(u), rtol=0, atol=1e-12)


@pytest.mark.parametrize("longest", [512, 0])
def test_no_cosine_is_in_two_sums(longest: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cosines, "DENSE", longest)
    operator = SuperResolution(2, (1, 8, 6))
    c = torch.eye(48, dtype=torch.float64).reshape(-1, 1, 8, 6)
    weights = operator.summed(c).flatten(1)
    assert ((weights.abs() > 1e-12).sum(dim=1) <= 1).all()
    squares = operator.summed(c, squared=True).flatten(1)
    torch.testing.assert_close(squares, weights.square(), rtol=0, atol=1e-12)
    unit = torch.eye(weights.shape[1], dtype=torch.float64).reshape(-1, *operator.out_shape)
    back = operator.parted(unit, squared=True).flatten(1)
    torch.testing.assert_close(back.T, squares, rtol=0, atol=1e-12)
    torch.testing.assert_close(operator.parted(unit).flatten(1).T, weights, rtol=0, atol=1e-12)
