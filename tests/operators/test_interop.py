"""SciPy's operators and solvers."""

import numpy as np
import pytest
import torch
from scipy.sparse import random as random_sparse
from scipy.sparse.linalg import LinearOperator, aslinearoperator, cg, lsqr

from invscore.operators import MRI, Blur, SuperResolution, from_matrix, from_scipy, to_scipy


def test_from_a_sparse_matrix() -> None:
    sparse = random_sparse(5, 6, density=0.5, random_state=0)
    operator = from_scipy(aslinearoperator(sparse), (1, 2, 3), (5,))
    x, y = torch.rand(2, 1, 2, 3, dtype=torch.float64), torch.rand(2, 5, dtype=torch.float64)
    np.testing.assert_allclose(operator(x), x.flatten(1).numpy() @ sparse.toarray().T)
    expected = y.numpy() @ sparse.toarray()
    np.testing.assert_allclose(operator.rmatvec(y).flatten(1), expected)
    assert operator(x.float()).dtype == torch.float32


def test_round_trip() -> None:
    for operator in (SuperResolution(2, (2, 6, 8)), MRI.random((1, 6, 8), acceleration=2)):
        again = from_scipy(to_scipy(operator), operator.in_shape, operator.out_shape)
        assert again.in_complex == operator.in_complex
        dtype = torch.complex128 if operator.in_complex else torch.float64
        x = torch.randn(3, *operator.in_shape, dtype=dtype)
        torch.testing.assert_close(again(x), operator(x))
        torch.testing.assert_close(again.rmatvec(operator(x)), operator.rmatvec(operator(x)))


def test_scipy_solvers() -> None:
    operator = Blur.gaussian(0.8, (1, 8, 8))
    scipy_operator = to_scipy(operator)
    x = torch.rand(1, 1, 8, 8, dtype=torch.float64)
    y = operator(x).flatten().numpy()
    solution = lsqr(scipy_operator, y, atol=1e-12, btol=1e-12)[0]
    np.testing.assert_allclose(solution, x.flatten(), rtol=1e-6)
    normal = LinearOperator((64, 64), lambda v: scipy_operator.rmatvec(scipy_operator @ v) + v)
    solution, info = cg(normal, y, rtol=1e-10)
    assert info == 0
    expected = operator.solve(torch.from_numpy(y).reshape(1, 1, 8, 8), 1.0)
    np.testing.assert_allclose(solution, expected.flatten(), rtol=1e-7)


def test_real_to_complex_is_real_to_pairs() -> None:
    operator = MRI.random((1, 6, 7), acceleration=2, real=True)
    scipy_operator = to_scipy(operator)
    assert scipy_operator.shape == (84, 42)
    x = torch.rand(1, 1, 6, 7, dtype=torch.float64)
    pairs = scipy_operator @ x.flatten().numpy()
    np.testing.assert_allclose(pairs.view(np.complex128), operator(x).flatten())
    np.testing.assert_allclose(
        scipy_operator.rmatvec(pairs), operator.rmatvec(operator(x)).flatten()
    )
    adjoint = to_scipy(operator.H)
    np.testing.assert_allclose(adjoint @ pairs, scipy_operator.rmatvec(pairs))


def test_matrices_of_columns_and_dtypes() -> None:
    a = torch.randn(3, 4, dtype=torch.complex64)
    scipy_operator = to_scipy(from_matrix(a))
    assert scipy_operator.dtype == np.complex128
    np.testing.assert_allclose(scipy_operator @ np.eye(4), a)
    np.testing.assert_allclose(scipy_operator.H @ np.eye(3), a.mH.resolve_conj())


def test_errors() -> None:
    with pytest.raises(ValueError, match=r"operator must have shape \(4, 3\) .*, got \(3, 3\)"):
        from_scipy(aslinearoperator(np.eye(3)), (3,), (4,))
