"""Operators of dense matrices."""

import pytest
import torch
from torch import Tensor

from invscore.operators import from_matrix


def matrix(rows: int, columns: int, dtype: torch.dtype) -> Tensor:
    return torch.randn(rows, columns, dtype=dtype, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("dtype", [torch.float64, torch.complex128])
@pytest.mark.parametrize(("rows", "columns"), [(4, 6), (6, 4), (6, 6)])
def test_everything_against_dense_algebra(dtype: torch.dtype, rows: int, columns: int) -> None:
    a = matrix(rows, columns, dtype)
    operator = from_matrix(a, in_shape=(1, 2, columns // 2), out_shape=(2, rows // 2))
    x = matrix(3, columns, dtype)
    y = x @ a.T
    images = x.reshape(3, 1, 2, columns // 2)
    torch.testing.assert_close(operator(images).flatten(1), y)
    measurements = y.reshape(3, 2, rows // 2)
    torch.testing.assert_close(operator.rmatvec(measurements).flatten(1), y @ a.conj())
    normal = a.mH @ a + 0.7 * torch.eye(columns)
    expected = torch.linalg.solve(normal, x.T).T
    torch.testing.assert_close(operator.solve(images, 0.7).flatten(1), expected)
    expected = y @ torch.linalg.pinv(a).T
    torch.testing.assert_close(operator.pinv(measurements).flatten(1), expected)
    assert operator.norm() == pytest.approx(float(torch.linalg.matrix_norm(a, 2)))
    assert operator.svd().complete == (rows >= columns)


def test_default_shapes_and_rank_deficiency() -> None:
    a = matrix(5, 2, torch.float64) @ matrix(2, 4, torch.float64)
    operator = from_matrix(a)
    assert (operator.in_shape, operator.out_shape) == ((4,), (5,))
    y = matrix(3, 5, torch.float64)
    expected = y @ torch.linalg.pinv(a, rtol=1e-10).T
    torch.testing.assert_close(operator.pinv(y), expected)


def test_images_of_either_precision() -> None:
    for given in (torch.float32, torch.float64):
        operator = from_matrix(matrix(3, 4, given))
        for dtype in (torch.float32, torch.float64):
            x = torch.ones(1, 4, dtype=dtype)
            assert operator(x).dtype == operator.solve(x, 1.0).dtype == dtype


def test_errors() -> None:
    with pytest.raises(ValueError, match=r"`matrix` must be .* \(m, n\), got the shape \(3,\)"):
        from_matrix(torch.ones(3))
    with pytest.raises(ValueError, match=r"`in_shape` must have 4 elements .*, got \(1, 3\)"):
        from_matrix(torch.ones(3, 4), in_shape=(1, 3))
    with pytest.raises(ValueError, match=r"`out_shape` must have 3 elements .*, got \(2,\)"):
        from_matrix(torch.ones(3, 4), out_shape=(2,))
    with pytest.raises(ValueError, match="finite"):
        from_matrix(torch.full((2, 2), torch.inf))
