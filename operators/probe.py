"""A quick look at an operator that invscore did not make, before its first use."""

from __future__ import annotations

import torch

from invscore.operators.base import LinearOperator, Operator
from invscore.operators.cg import inner

TOLERANCE = 1e-2
"""Largest relative mismatch of an adjoint; single precision stays below 1e-3."""

MADE_OF_OTHERS = ("base", "functions")
"""Modules whose operators call a user's functions, and are therefore checked as the user's own."""


@torch.no_grad()
def operator_warnings(operator: Operator, y: torch.Tensor) -> tuple[str, ...]:
    """A sentence where an operator of the user's own measures nothing or has another adjoint.

    One product with A and one with its adjoint, on random numbers of the device and precision of
    the measurement ``y``. Empty for operators that come with invscore, which its tests check;
    ``check_operator`` checks more.
    """
    package, _, module = type(operator).__module__.rpartition(".")
    if package == "invscore.operators" and module not in MADE_OF_OTHERS:
        return ()
    name, v = type(operator).__name__, _random(operator, y)
    seen = operator(v)
    if not bool(seen.any()):
        return (f"the operator {name} measures nothing: A(x) is 0 for random images x",)
    off = adjoint_mismatch(operator, v, seen) if isinstance(operator, LinearOperator) else None
    if off is None:
        return ()
    return (
        f"the operator {name} has an rmatvec that is not the adjoint of its matvec: <A v, u> is "
        f"{off[0]:.4g} and <v, A^H u> {off[1]:.4g} for random v and u; 'invscore check' tells more",
    )


@torch.no_grad()
def adjoint_is_off(operator: LinearOperator, y: torch.Tensor) -> bool:
    """Whether ``rmatvec`` is not the adjoint of ``matvec``, on random numbers like ``y``."""
    v = _random(operator, y)
    return adjoint_mismatch(operator, v, operator.matvec(v)) is not None


def adjoint_mismatch(
    operator: LinearOperator, v: torch.Tensor, seen: torch.Tensor
) -> tuple[float, float] | None:
    """``<A v, u>`` and ``<v, A^H u>`` for a random u and ``seen``, A v, where they differ."""
    generator = torch.Generator().manual_seed(1)
    u = torch.randn(1, *operator.out_shape, generator=generator).to(seen.device, seen.dtype)
    back = operator.rmatvec(u)
    left, right = float(inner(seen, u).real), float(inner(v, back).real)
    size = max(float(seen.norm() * u.norm()), float(v.norm() * back.norm()))
    # Both sides are sums of random signs: of two unrelated ones the mismatch is of this size.
    close = abs(left - right) <= TOLERANCE * size / seen.numel() ** 0.5
    return None if close else (left, right)


def _random(operator: Operator, y: torch.Tensor) -> torch.Tensor:
    """A random image, on the device and in the precision of ``y``."""
    generator = torch.Generator().manual_seed(0)
    real = y.real.dtype
    dtype = real.to_complex() if operator.in_complex else real
    return torch.randn(1, *operator.in_shape, generator=generator).to(y.device, dtype)
