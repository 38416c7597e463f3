"""check_operator sees planted bugs, and names the property that fails."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from invscore.operators import (
    SVD,
    Inpainting,
    LinearOperator,
    NonlinearOperator,
    SpectralOperator,
    check_operator,
    from_function,
    from_matrix,
)

SHAPE = (3, 4)


def failures(operator: LinearOperator | NonlinearOperator) -> set[str]:
    return {row.name for row in check_operator(operator).rows if not row.passed}


def twice(x: Tensor) -> Tensor:
    return 2 * x


class Diagonal(SpectralOperator):
    """``y = (1, 2, 3, ...) x``, with a factor in every place where it can go wrong."""

    def __init__(self, **wrong: float) -> None:
        self.in_shape = self.out_shape = (6,)
        self.d = torch.arange(1.0, 7.0)
        self.wrong = wrong

    def factor(self, name: str) -> float:
        return self.wrong.get(name, 1.0)

    def matvec(self, x: Tensor) -> Tensor:
        return self.d * x

    def rmatvec(self, y: Tensor) -> Tensor:
        return self.factor("rmatvec") * self.d * y

    def vjp(self, x: Tensor, u: Tensor) -> Tensor:  # noqa: ARG002
        return self.factor("vjp") * self.rmatvec(u)

    def jvp(self, x: Tensor, v: Tensor) -> Tensor:  # noqa: ARG002
        return self.factor("jvp") * self.matvec(v)

    def normal(self, x: Tensor) -> Tensor:
        return self.factor("normal") * self.rmatvec(self.matvec(x))

    def solve(self, b: Tensor, rho: float | Tensor) -> Tensor:
        return super().solve(b, self.factor("rho") * rho)

    def pinv(self, y: Tensor) -> Tensor:
        return self.factor("pinv") * super().pinv(y)

    def norm(self) -> float:
        return self.factor("norm") * super().norm()

    def svd(self, dtype: torch.dtype = torch.float32) -> SVD:
        def scaled(name: str) -> Callable[[Tensor], Tensor]:
            return lambda c: self.factor(name) * c

        s = self.factor("s") * self.d.to(dtype)
        return SVD(s, scaled("u"), scaled("uh"), scaled("v"), scaled("vh"), complete=True)


def test_a_correct_operator_passes() -> None:
    assert failures(Diagonal()) == set()


@pytest.mark.parametrize(
    ("wrong", "row"),
    [
        ({"rmatvec": 1.001}, "adjoint"),
        ({"rmatvec": -1.0}, "adjoint"),
        ({"vjp": 1.001}, "vjp"),
        ({"jvp": 1.001}, "jvp"),
        ({"normal": 1.001}, "normal"),
        ({"rho": 1.001}, "solve"),
        ({"rho": 1.001}, "solve, rho (b,)"),
        ({"pinv": 1.05}, "pinv"),
        ({"norm": 1.05}, "norm"),
        ({"norm": 0.95}, "norm"),
        ({"s": 1.001}, "svd, product"),
        ({"u": 2.0, "s": 0.5}, "svd, U"),
        ({"uh": 1.001}, "svd, U"),
        ({"v": 1.001}, "svd, V"),
        ({"vh": 2.0, "s": 0.5}, "svd, V"),
        ({"v": 1.001}, "svd, complete"),
    ],
)
def test_a_wrong_constant_is_named(wrong: dict[str, float], row: str) -> None:
    assert row in failures(Diagonal(**wrong))


def test_wrong_adjoint_of_a_complex_operator() -> None:
    operator = from_function(
        lambda x: (1 + 2j) * x,
        SHAPE,
        adjoint=lambda y: (1 + 2j) * y,
        in_complex=True,
        out_complex=True,
    )
    assert "adjoint" in failures(operator)


def test_real_linearity_is_not_complex_linearity() -> None:
    operator = from_function(
        torch.conj, SHAPE, adjoint=torch.conj, in_complex=True, out_complex=True
    )
    assert "linearity" in failures(operator)


def test_affine_operator_is_not_linear() -> None:
    assert "linearity" in failures(from_function(lambda x: x + 0.1, SHAPE, adjoint=lambda y: y))


def test_mixing_the_batch() -> None:
    assert "batch" in failures(from_function(lambda x: x - 1e-3 * x.mean(0, keepdim=True), SHAPE))


def test_wrong_shape_complexity_and_values() -> None:
    assert failures(from_function(twice, SHAPE, out_shape=(4, 3))) == {"shape"}
    assert failures(from_function(twice, SHAPE, out_complex=True)) == {"dtype"}
    assert failures(from_function(lambda x: x / 0, SHAPE, linear=False)) >= {"finite"}


def test_double_precision_that_spreads() -> None:
    assert failures(from_function(lambda x: 2 * x.double(), SHAPE)) == {"dtype"}


def test_signal_where_nothing_is_measured() -> None:
    operator = Inpainting.box((1, 4, 4), size=2)
    operator.measured = ~operator.measured
    assert failures(operator) == {"measured"}


def test_wrong_vjp_of_a_nonlinear_operator() -> None:
    class Square(NonlinearOperator):
        in_shape = out_shape = SHAPE

        def __call__(self, x: Tensor) -> Tensor:
            return x**2

        def vjp(self, x: Tensor, u: Tensor) -> Tensor:
            return x * u

    assert failures(Square()) == {"vjp"}


def test_an_operator_that_raises() -> None:
    report = check_operator(from_matrix(torch.eye(3), in_shape=(1, 3)))
    assert report.ok

    def broken(x: Tensor) -> Tensor:  # noqa: ARG001
        raise ZeroDivisionError("sorry")

    report = check_operator(from_function(broken, SHAPE, out_shape=SHAPE))
    assert not report.ok
    assert "ZeroDivisionError: sorry" in str(report)


def test_single_precision_where_tensors_cannot_be_converted() -> None:
    matrix = torch.tensor([[1.0, 2.0], [0.0, 3.0]])
    assert check_operator(from_function(lambda x: x @ matrix, (2,))).ok
    wrong = from_function(lambda x: x @ matrix, (2,), adjoint=lambda y: y @ matrix)
    assert "adjoint" in failures(wrong)


def test_report_reads_as_a_table_and_raises_one_sentence() -> None:
    report = check_operator(Diagonal(norm=2.0))
    lines = str(report).splitlines()
    assert lines[0] == "Diagonal: FAILED"
    assert len({line.index("(at most") for line in lines[1:]}) == 1
    with pytest.raises(ValueError, match=r"^Diagonal does not keep the contract: norm \(norm\(\)"):
        report.raise_if_failed()
    check_operator(Diagonal()).raise_if_failed()


def message(operator: NonlinearOperator, row: str) -> str:
    return next(each.message for each in check_operator(operator).rows if each.name == row)


def test_what_must_hold_and_what_was_given_is_told() -> None:
    class Odd(NonlinearOperator):
        in_shape, out_shape = SHAPE, (4, 3)

        def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
            self.function = function

        def __call__(self, x: Tensor) -> Tensor:
            return self.function(x)

    assert message(Odd(twice), "shape") == (
        "A(x) of 3 images must have the shape (3, 4, 3), got (3, 3, 4)"
    )
    left = Odd(lambda x: x.mT.numpy())  # type: ignore[arg-type, return-value]
    assert message(left, "shape") == ("A(x) must be a tensor of shape (3, 4, 3), got a ndarray")
    assert message(Odd(lambda x: x.mT.double()), "dtype").endswith("got torch.float64")
    assert failures(Odd(lambda x: x.zero_().mT)) >= {"input"}


def test_an_operator_whose_numbers_leave_torch_needs_derivatives_of_its_own() -> None:
    class Detached(NonlinearOperator):
        in_shape = out_shape = SHAPE

        def __call__(self, x: Tensor) -> Tensor:
            return x.detach() ** 2

    with pytest.raises(ValueError, match=r"__call__ of Detached must be .* write jvp and vjp"):
        Detached().vjp(torch.ones(1, *SHAPE), torch.ones(1, *SHAPE))

    class Mended(Detached):
        def jvp(self, x: Tensor, v: Tensor) -> Tensor:
            return 2 * x * v

        vjp = jvp

    assert failures(Mended()) == set()


def test_an_operator_must_tell_its_shapes() -> None:
    class Shapeless(NonlinearOperator):
        in_shape = SHAPE

        def __call__(self, x: Tensor) -> Tensor:
            return x

    with pytest.raises(ValueError, match="the operator Shapeless has no out_shape"):
        check_operator(Shapeless())
