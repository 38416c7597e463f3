"""Operators of functions: adjoints by differentiation, or given."""

import pytest
import torch
from torch import Tensor

from invscore.operators import LinearOperator, NonlinearOperator, from_function

MATRIX = torch.randn(3, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def test_adjoint_by_differentiation() -> None:
    operator = from_function(lambda x: x @ MATRIX.T, (4,), out_shape=(3,))
    assert isinstance(operator, LinearOperator)
    y = torch.ones(2, 3, dtype=torch.float64)
    torch.testing.assert_close(operator.rmatvec(y), y @ MATRIX)
    with torch.inference_mode():
        torch.testing.assert_close(operator.rmatvec(torch.ones_like(y)), y @ MATRIX)


def test_complex_adjoint_by_differentiation() -> None:
    factor = 1 + 2j
    both = from_function(lambda x: factor * x, (4,), in_complex=True, out_complex=True)
    y = torch.tensor([[1.0, 2j, 3, 4 - 1j]])
    torch.testing.assert_close(both.rmatvec(y), factor.conjugate() * y)
    real = from_function(lambda x: factor * x, (4,), out_complex=True)
    torch.testing.assert_close(real.rmatvec(y), (factor.conjugate() * y).real)


def test_adjoint_by_differentiation_can_be_differentiated() -> None:
    operator = from_function(lambda x: x @ MATRIX.T, (4,), out_shape=(3,))
    y = torch.ones(1, 3, dtype=torch.float64, requires_grad=True)
    gradient = torch.autograd.grad(operator.rmatvec(y).sum(), y)[0]
    torch.testing.assert_close(gradient[0], MATRIX.sum(1))


def test_given_adjoint_keeps_autograd_out() -> None:
    def external(x: Tensor) -> Tensor:
        assert not x.requires_grad
        return torch.from_numpy(x.numpy() @ MATRIX.numpy().T)

    def external_adjoint(y: Tensor) -> Tensor:
        return torch.from_numpy(y.numpy() @ MATRIX.numpy())

    operator = from_function(external, (4,), (3,), adjoint=external_adjoint)
    x, u = torch.ones(1, 4, dtype=torch.float64), torch.ones(1, 3, dtype=torch.float64)
    torch.testing.assert_close(operator.vjp(x, u), u @ MATRIX)
    torch.testing.assert_close(operator.jvp(x, x), x @ MATRIX.T)


def test_nonlinear_function() -> None:
    operator = from_function(lambda x: x.exp(), (4,), linear=False)
    assert isinstance(operator, NonlinearOperator)
    x, v = torch.rand(2, 4, dtype=torch.float64), torch.rand(2, 4, dtype=torch.float64)
    torch.testing.assert_close(operator.jvp(x, v), x.exp() * v)
    torch.testing.assert_close(operator.vjp(x, v), x.exp() * v)


def test_out_shape_is_found() -> None:
    assert from_function(lambda x: x[..., ::2], (1, 4, 6)).out_shape == (1, 4, 3)


def test_nonlinear_with_adjoint_is_an_error() -> None:
    with pytest.raises(ValueError, match="linear=False"):
        from_function(torch.exp, (4,), adjoint=torch.exp, linear=False)
