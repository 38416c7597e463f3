"""Does an operator keep the contract? The test of every built-in, and of yours."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from invscore.operators.base import LinearOperator, Operator, broadcast
from invscore.operators.cg import inner
from invscore.operators.declared import fault_of_measurements, require_operator
from invscore.operators.placement import number_type
from invscore.operators.svd import SVD
from invscore.report import Report


@torch.no_grad()
def check_operator(operator: Operator, *, seed: int = 0) -> Report:
    """Test an operator on a random batch of three images with values around [0, 1].

    Shapes, types, finite values, images left as they are, independence of the images of a batch,
    ``jvp`` against finite differences and ``vjp`` against ``jvp``; of a linear operator also
    linearity, the adjoint, ``normal``, ``solve``, ``pinv``, ``norm`` and, where there is one,
    ``svd``. In double precision if the operator's tensors can be converted and it computes in it,
    in single precision otherwise. An error is relative to what it is an error of.

        >>> from invscore.operators import Identity, check_operator
        >>> check_operator(Identity((1, 4, 4))).raise_if_failed()
    """
    require_operator(operator)
    report = Report(type(operator).__name__)
    probe = _Probe(operator, seed)
    double = _in_double(probe)
    if not double:
        probe = _Probe(operator, seed, torch.float32)
    exact, close = (1e-9, 1e-5) if double else (1e-3, 1e-2)
    _check_values(report, operator, probe, exact)
    if not report.ok:
        return report
    if isinstance(probe.operator, LinearOperator):
        _check_linear(report, probe.operator, probe, exact)
    _check_derivatives(report, probe, exact, close)
    if isinstance(probe.operator, LinearOperator):
        _check_inverse(report, probe.operator, probe, 1e-5 if double else 1e-3)
        _check_svd(report, probe.operator, probe, exact)
    return report


def _in_double(probe: _Probe) -> bool:
    """Whether the operator, given double precision, computes in it.

    It does not where its ``precision`` says so, where it fails, and where nothing of what it gives,
    or takes, is known better than in single precision, whatever its type: a library with a single
    precision of its own, and conversions on the way in and out.
    """
    operator, x, y = probe.operator, probe.image(), probe.measurement()
    if operator.precision not in (None, torch.float64):
        return False
    try:
        maps: list[tuple[Callable[[Tensor], Tensor], Tensor]] = [(operator, x)]
        if isinstance(operator, LinearOperator):
            maps.append((operator.rmatvec, y))
        for apply, batch in maps:
            result = apply(batch)
            if result.real.dtype != torch.float64:
                return False
            if bool((result == _rounded(result)).all()) and bool(result.any()):
                return False
            if bool((result == apply(_rounded(batch))).all()) and bool(result.any()):
                return False
    except Exception:  # perhaps a tensor that .to(dtype=...) does not reach
        return False
    return True


def _rounded(values: Tensor) -> Tensor:
    """``values`` in double precision, known to single precision."""
    single = torch.complex64 if values.is_complex() else torch.float32
    return values.to(single).to(values.dtype)


class _Probe:
    """The operator in a given precision, and random batches that fit it."""

    def __init__(self, operator: Operator, seed: int, dtype: torch.dtype = torch.float64) -> None:
        self.operator = operator.to(dtype=dtype)
        self.dtype, self.device = dtype, number_type(operator).device
        self._generator = torch.Generator().manual_seed(seed)

    def image(self) -> Tensor:
        """Three images with values around [0, 1]."""
        return 0.5 + 0.2 * self.direction()

    def direction(self) -> Tensor:
        return self.normal(self.operator.in_shape, self.operator.in_complex)

    def measurement(self) -> Tensor:
        return self.normal(self.operator.out_shape, self.operator.out_complex)

    def normal(self, shape: tuple[int, ...], is_complex: bool) -> Tensor:
        dtype = self.dtype.to_complex() if is_complex else self.dtype
        return torch.randn(3, *shape, dtype=dtype, generator=self._generator).to(self.device)

    def mismatch(self, v: Tensor, a_v: Tensor, u: Tensor, ah_u: Tensor) -> float:
        """``<A v, u> - <v, A^H u>``: the complex product of a linear operator on complex spaces.

        Elsewhere its real part: a derivative may be linear over the reals alone.
        """
        left, right = (a_v.conj() * u).flatten(1).sum(1), (v.conj() * ah_u).flatten(1).sum(1)
        difference = left - right
        spaces = self.operator.in_complex and self.operator.out_complex
        if not (spaces and isinstance(self.operator, LinearOperator)):
            difference = difference.real
        scale = max(float(_norm(a_v) * _norm(u)), float(_norm(v) * _norm(ah_u)), 1e-30)
        return float(difference.abs().max()) / scale


def _check_values(report: Report, operator: Operator, probe: _Probe, exact: float) -> None:
    x = probe.image()

    def shape() -> str:
        return fault_of_measurements(probe.operator, probe.operator(x), len(x))

    def dtype() -> str:
        # In single precision: an operator that computes in double must not infect its users.
        single = _Probe(operator, 0, torch.float32)
        image = single.image()
        given = single.operator(image).dtype
        expected = torch.complex64 if operator.out_complex else torch.float32
        declared = f"where out_complex is {operator.out_complex}"
        told = f"A(x) of {image.dtype} must be {expected} {declared}, got {given}"
        return "" if given == expected else told

    def kept() -> str:
        given = probe.image()
        before = given.clone()
        probe.operator(given)
        return "" if bool((given == before).all()) else "A changes the images that it is given"

    def finite() -> float:
        return float(not bool(probe.operator(x).isfinite().all()))

    def batch() -> float:
        alone = torch.cat([probe.operator(x[i : i + 1]) for i in range(len(x))])
        return _relative(probe.operator(x), alone)

    def measured() -> float:
        mask = probe.operator.measured
        if mask is None:
            return 0.0
        if mask.dtype != torch.bool or tuple(mask.shape) != probe.operator.out_shape:
            return 1.0
        return float(probe.operator(x)[:, ~mask].abs().sum() != 0)

    report.require("shape", shape)
    if not report.ok:
        return
    report.require("dtype", dtype)
    report.require("input", kept)
    report.add("finite", finite, 0.0, "A(x) has values that are NaN or infinite")
    report.add("batch", batch, exact, "an image's measurement depends on the rest of the batch")
    report.add("measured", measured, 0.0, "A(x) is not zero where nothing is measured")


def _check_linear(report: Report, operator: LinearOperator, probe: _Probe, exact: float) -> None:
    x, z, u = probe.direction(), probe.direction(), probe.measurement()
    both = operator.in_complex and operator.out_complex
    a, b = (0.7 - 1.1j, -2.0 + 0.3j) if both else (0.7, -2.0)

    def linearity() -> float:
        image = operator.matvec(a * x + b * z)
        return _relative(image, a * operator.matvec(x) + b * operator.matvec(z))

    def adjoint() -> float:
        return probe.mismatch(x, operator.matvec(x), u, operator.rmatvec(u))

    def normal() -> float:
        return _relative(operator.normal(x), operator.rmatvec(operator.matvec(x)))

    report.add("linearity", linearity, exact, "A(ax + bz) is not a A(x) + b A(z)")
    report.add("adjoint", adjoint, exact, "<A v, u> is not <v, A^H u>")
    report.add("normal", normal, exact, "normal(x) is not A^H A x")


def _check_derivatives(report: Report, probe: _Probe, exact: float, close: float) -> None:
    operator, x, v, u = probe.operator, probe.image(), probe.direction(), probe.measurement()
    step = 1e-5 if probe.dtype == torch.float64 else 1e-2

    def jvp() -> float:
        difference = operator(x + step * v) - operator(x - step * v)
        return _relative(operator.jvp(x, v), difference / (2 * step))

    def vjp() -> float:
        return probe.mismatch(v, operator.jvp(x, v), u, operator.vjp(x, u))

    report.add("jvp", jvp, close, "J(x) v is not the derivative of A along v, or A leaves torch")
    report.add("vjp", vjp, exact, "<J v, u> is not <v, J^H u>")


def _check_inverse(report: Report, operator: LinearOperator, probe: _Probe, close: float) -> None:
    x, b = probe.direction(), probe.direction()
    largest = _largest(operator, x)
    weights = largest**2 * torch.tensor([0.05, 0.3, 1.0], dtype=probe.dtype, device=probe.device)

    def solve(rho: float | Tensor) -> float:
        solution = operator.solve(b, rho)
        return _relative(operator.normal(solution) + broadcast(rho, b) * solution, b)

    def pinv() -> float:
        y = operator.matvec(x)
        return _relative(operator.matvec(operator.pinv(y)), y)

    def norm() -> float:
        return abs(operator.norm() / largest - 1)

    if largest == 0:
        return
    rho = float(weights[0])
    report.add("solve", lambda: solve(rho), close, "(A^H A + rho) solve(b, rho) is not b")
    report.add(
        "solve, rho (b,)", lambda: solve(weights), close, "solve with one rho an image is not right"
    )
    report.add("pinv", pinv, 1e-2, "A A^+ A is not A")
    report.add("norm", norm, 3e-2, "norm() is not the largest singular value")


def _check_svd(report: Report, operator: LinearOperator, probe: _Probe, exact: float) -> None:
    try:
        f: SVD = operator.svd(probe.dtype)
    except NotImplementedError:
        return
    x, y = probe.direction(), probe.measurement()
    range_ = f.s > 1e-6 * f.s.max()
    coefficients = f.vh(x)
    c = range_ * probe.normal(tuple(coefficients.shape[1:]), coefficients.is_complex())

    def product() -> float:
        return _relative(f.u(f.s * coefficients), operator.matvec(x))

    def left() -> float:
        return _relative(range_ * f.uh(f.u(c)), c) + probe.mismatch(c, f.u(c), y, f.uh(y))

    def right() -> float:
        return _relative(range_ * f.vh(f.v(c)), c) + probe.mismatch(c, f.v(c), x, coefficients)

    def complete() -> float:
        return _relative(f.v(coefficients), x) if f.complete else 0.0

    report.add("svd, product", product, exact, "A is not U s V^H")
    report.add("svd, U", left, exact, "U is not orthonormal on the range, or uh is not its adjoint")
    report.add(
        "svd, V", right, exact, "V is not orthonormal on the range, or vh is not its adjoint"
    )
    report.add("svd, complete", complete, exact, "V is said to span all images and does not")


def _largest(operator: LinearOperator, x: Tensor) -> float:
    """The largest singular value by the power method."""
    growth = inner(x, x)
    for _ in range(100):
        x = operator.rmatvec(operator.matvec(x / inner(x, x).sqrt().clamp_min(1e-30)))
        growth = inner(x, x).sqrt()
    return float(growth.max().sqrt())


def _relative(a: Tensor, b: Tensor) -> float:
    if a.shape != b.shape:
        raise ValueError(f"shapes {tuple(a.shape)} and {tuple(b.shape)}")
    return float(_norm(a - b)) / max(float(_norm(a)), float(_norm(b)), 1e-30)


def _norm(x: Tensor) -> Tensor:
    return torch.linalg.vector_norm(x)
