"""Several measurements of one image as one operator."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from invscore.operators.base import LinearOperator, Operator, require_equal
from invscore.operators.placement import number_type
from invscore.options.argument_checks import require_type


class Stack(LinearOperator):
    """Several measurements of one image, flattened and concatenated: (b, sum of sizes)."""

    def __init__(self, operators: Sequence[LinearOperator]) -> None:
        if not operators:
            raise ValueError("a stack must hold at least one operator, got none")
        first = operators[0]
        for other in operators[1:]:
            require_equal("input shapes of a stack", first.in_shape, other.in_shape)
            require_equal("input complexity of a stack", first.in_complex, other.in_complex)
            require_equal("output complexity of a stack", first.out_complex, other.out_complex)
        self.operators = tuple(operators)
        self.sizes = [torch.Size(operator.out_shape).numel() for operator in operators]
        self.in_shape, self.out_shape = first.in_shape, (sum(self.sizes),)
        self.in_complex, self.out_complex = first.in_complex, first.out_complex
        if any(operator.measured is not None for operator in operators):
            self.measured = torch.cat([_measured(operator).flatten() for operator in operators])

    def matvec(self, x: Tensor) -> Tensor:
        return torch.cat([operator.matvec(x).flatten(1) for operator in self.operators], dim=1)

    def rmatvec(self, y: Tensor) -> Tensor:
        parts = zip(self.operators, torch.split(y, self.sizes, dim=1), strict=True)
        images = [op.rmatvec(part.reshape(-1, *op.out_shape)) for op, part in parts]
        return torch.stack(images).sum(dim=0)


def stack(operators: Sequence[LinearOperator]) -> LinearOperator:
    """Several operators on the same image as one.

    >>> from invscore.operators import Identity, stack
    >>> stack([Identity((1, 2, 2)), 2 * Identity((1, 2, 2))]).out_shape
    (8,)
    """
    for operator in operators:
        require_type("operators", operator, LinearOperator)
    return Stack(operators)


def _measured(operator: Operator) -> Tensor:
    if operator.measured is not None:
        return operator.measured
    return torch.ones(operator.out_shape, dtype=torch.bool, device=number_type(operator).device)
