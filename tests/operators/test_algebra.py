"""The algebra of operators, what linear operators derive, and moving them."""

import pytest
import torch
from torch import Tensor, nn

from invscore.operators import (
    MRI,
    Blur,
    Identity,
    Inpainting,
    LinearOperator,
    NonlinearOperator,
    SuperResolution,
    from_function,
    from_matrix,
    jacobian,
    stack,
)
from invscore.operators.base import broadcast
from invscore.operators.separable import SeparableOperator

generator = torch.Generator().manual_seed(0)
A = torch.randn(5, 4, dtype=torch.float64, generator=generator)
B = torch.randn(4, 6, dtype=torch.float64, generator=generator)
C = torch.randn(5, 6, dtype=torch.float64, generator=generator)
x = torch.randn(3, 6, dtype=torch.float64, generator=generator)
y = torch.randn(3, 5, dtype=torch.float64, generator=generator)
a, b, c = (from_matrix(m) for m in (A, B, C))


@pytest.mark.parametrize(
    ("operator", "matrix"),
    [
        (a @ b, A @ B),
        (a @ b + c, A @ B + C),
        (2 * c, 2 * C),
        (c * -0.5, -0.5 * C),
        (-c, -C),
        (c.H.H, C),
        ((b.H @ a.H).H, A @ B),
        (c + -1 * (a @ b), C - A @ B),
    ],
)
def test_algebra_against_matrices(operator: LinearOperator, matrix: Tensor) -> None:
    torch.testing.assert_close(operator(x), x @ matrix.T)
    torch.testing.assert_close(operator.rmatvec(y), y @ matrix)
    torch.testing.assert_close(operator.H(y), y @ matrix)
    rho = torch.tensor([0.5, 1.0, 2.0], dtype=torch.float64)
    normal = matrix.T @ matrix + rho[:, None, None] * torch.eye(6)
    expected = torch.linalg.solve(normal, x[..., None])[..., 0]
    torch.testing.assert_close(operator.solve(x, rho), expected, rtol=1e-5, atol=1e-5)
    expected = y @ torch.linalg.pinv(matrix).T
    torch.testing.assert_close(operator.pinv(y), expected, rtol=1e-3, atol=1e-3)
    assert operator.norm() == pytest.approx(float(torch.linalg.matrix_norm(matrix, 2)), rel=0.01)


def test_stack_against_matrices() -> None:
    operator = stack([c, b])
    matrix = torch.cat([C, B])
    torch.testing.assert_close(operator(x), x @ matrix.T)
    torch.testing.assert_close(operator.rmatvec(x @ matrix.T), x @ matrix.T @ matrix)


def test_svd_of_a_multiple() -> None:
    f = (-3 * c).svd(torch.float64)
    torch.testing.assert_close(f.u(f.s * f.vh(x)), -3 * x @ C.T)
    torch.testing.assert_close(f.s, 3 * torch.linalg.svdvals(C))
    with pytest.raises(NotImplementedError, match="Sum has no cheap singular value decomposition"):
        (c + c).svd()


def test_adjoint_swaps_shapes_and_complexity() -> None:
    operator = MRI.random((1, 6, 8), acceleration=2, real=True)
    assert (operator.H.in_complex, operator.H.out_complex) == (True, False)
    assert operator.H.in_shape == operator.out_shape
    assert operator.H.norm() == operator.norm()


def test_measured_follows_the_algebra() -> None:
    holes = Inpainting.box((1, 4, 4), size=2)
    others = Inpainting.box((1, 4, 4), size=2, position=(0, 0))
    identity = Identity((1, 4, 4))
    assert torch.equal((2 * holes @ identity).measured, holes.measured)  # type: ignore[arg-type]
    assert (identity @ holes).measured is None
    assert (identity + holes).measured is None
    both = (holes + others).measured
    assert both is not None
    assert int((~both).sum()) == 1
    stacked = stack([identity, holes]).measured
    assert stacked is not None
    assert stacked.shape == (32,)
    assert int(stacked.sum()) == 16 + 12
    assert stack([identity, identity]).measured is None


def test_solve_with_a_weight_an_image_equals_one_by_one() -> None:
    operator = Blur.gaussian(1.0, (1, 8, 8), boundary="reflect")
    images = torch.rand(3, 1, 8, 8, dtype=torch.float64, generator=generator)
    rho = torch.tensor([0.05, 0.5, 5.0])
    together = operator.solve(images, rho)
    for i in range(3):
        alone = operator.solve(images[i : i + 1], float(rho[i]))
        torch.testing.assert_close(together[i], alone[0], rtol=1e-5, atol=1e-6)


def test_weights_keep_their_digits_and_fit_the_batch() -> None:
    assert float(broadcast(0.1, x)) == 0.1
    assert broadcast(torch.ones(3), x).shape == (3, 1)
    with pytest.raises(
        ValueError, match=r"`rho` must be a number or of shape \(3,\), got the shape \(2,\)"
    ):
        broadcast(torch.ones(2), x)


def test_jacobian_of_a_nonlinear_operator() -> None:
    operator = from_function(lambda t: t**3, (6,), linear=False)
    linear = jacobian(operator, x)
    torch.testing.assert_close(linear(x), 3 * x**3)
    torch.testing.assert_close(linear.rmatvec(x), 3 * x**3)
    assert linear.norm() == pytest.approx(float((3 * x**2).max()), rel=1e-2)
    assert jacobian(c, x) is c


def test_vjp_leaves_the_graph_of_its_point_alone() -> None:
    operator = from_function(lambda t: t**3, (6,), linear=False)
    leaf = x.clone().requires_grad_()
    assert not operator.vjp(leaf, x).requires_grad
    assert leaf.grad is None


def test_norm_of_zero() -> None:
    assert from_matrix(torch.zeros(3, 4)).norm() == 0
    assert from_function(lambda t: 0 * t, (4,)).norm() == 0


def test_errors() -> None:
    with pytest.raises(ValueError, match=r"inner shapes of a product differ: \(4,\) and \(6,\)"):
        a @ from_matrix(torch.eye(6))
    with pytest.raises(ValueError, match=r"complexity of a product differ: False and True"):
        Identity((1, 6, 8)) @ MRI.random((1, 6, 8), acceleration=2)
    with pytest.raises(ValueError, match="input shapes of a sum differ"):
        a + b
    with pytest.raises(ValueError, match=r"factor of an operator must be .*, got 0"):
        0 * a
    with pytest.raises(ValueError, match="a stack must hold at least one operator"):
        stack([])


class Convolution(NonlinearOperator):
    """A user's operator with every kind of attribute that can be moved."""

    def __init__(self) -> None:
        self.in_shape = self.out_shape = (1, 8, 8)
        self.out_complex = True
        self.network = nn.Conv2d(1, 1, 3, padding=1)
        self.phase = torch.ones(8, 8, dtype=torch.complex64)
        self.parts = [torch.ones(8), torch.arange(8)]
        self.inner = Blur.gaussian(1.0, (1, 8, 8))

    def __call__(self, t: Tensor) -> Tensor:
        return self.phase * self.inner(self.network(t) * self.parts[0] + self.parts[1])


def test_to_converts_a_copy() -> None:
    operator = Convolution()
    wide = operator.to(dtype=torch.float64)
    assert wide.phase.dtype == torch.complex128
    assert wide.parts[0].dtype == torch.float64
    assert wide.parts[1].dtype == torch.int64
    assert next(wide.network.parameters()).dtype == torch.float64
    assert wide(torch.ones(1, 1, 8, 8, dtype=torch.float64)).dtype == torch.complex128
    assert operator.phase.dtype == torch.complex64
    assert next(operator.network.parameters()).dtype == torch.float32


SPECTRAL: list[LinearOperator] = [
    Blur.gaussian(1.0, (1, 8, 8)),
    Blur.gaussian(1.0, (1, 8, 8), boundary="reflect"),
    Inpainting.random((1, 8, 8)),
    SuperResolution(2, (1, 8, 8)),
    from_matrix(torch.eye(64), (1, 8, 8)),
    MRI.random((1, 8, 8), real=True),
    MRI.random((1, 8, 8)),
]
MOVABLE: list[LinearOperator] = [
    *SPECTRAL,
    Blur.gaussian(1.0, (1, 8, 8), size=3, boundary="valid"),
    Blur(torch.rand(2, 3), (1, 8, 8), boundary="reflect"),
    -2 * stack([SuperResolution(2, (1, 8, 8)), from_matrix(torch.eye(64), (1, 8, 8))]),
]


# The "meta" device stands for any other: an operation with a tensor left behind raises.
@pytest.mark.parametrize("operator", MOVABLE, ids=lambda o: type(o).__name__)
def test_to_moves_constants(operator: LinearOperator) -> None:
    moved = operator.to("meta")
    dtype = torch.complex64 if operator.in_complex else torch.float32
    image = torch.ones(2, 1, 8, 8, dtype=dtype)
    y = moved(image.to("meta"))
    assert y.device.type == "meta"
    assert moved.rmatvec(y).shape == (2, 1, 8, 8)
    assert operator(image).device.type == "cpu"
    assert moved.measured is None or moved.measured.device.type == "meta"


@pytest.mark.parametrize("operator", SPECTRAL, ids=lambda o: type(o).__name__)
def test_to_moves_cached_factors(operator: LinearOperator) -> None:
    operator.svd()
    f = operator.to("meta").svd()
    dtype = torch.complex64 if operator.in_complex else torch.float32
    image = torch.ones(2, 1, 8, 8, device="meta", dtype=dtype)
    assert f.u(f.s * f.vh(image)).device.type == "meta"
    assert f.v(f.uh(f.u(f.s * f.vh(image)))).device.type == "meta"
    assert operator.svd().s.device.type == "cpu"


def test_the_decomposition_is_made_once() -> None:
    for operator in (
        SeparableOperator(torch.eye(8), torch.eye(8), (1, 8, 8)),
        from_matrix(torch.eye(64), (1, 8, 8)),
    ):
        assert operator._factors is operator._factors  # type: ignore[attr-defined]


def test_what_is_made_in_inference_mode_serves_autograd() -> None:
    with torch.inference_mode():
        operators = [SuperResolution(2, (1, 8, 8)), Blur.gaussian(1.0, (1, 8, 8))]
        for operator in operators:
            operator.svd()
    for operator in operators:
        image = torch.ones(1, 1, 8, 8, requires_grad=True)
        loss = operator.pinv(operator(image)).sum()
        assert torch.autograd.grad(loss, image)[0].shape == image.shape
