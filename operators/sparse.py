"""Sparse matrices and their transposes, applied to batches of vectors."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

Rows = tuple[Tensor, Tensor, Tensor]
"""A matrix row by row: where each row begins, columns and values (compressed sparse rows)."""


def compressed(counts: Tensor, columns: Tensor, values: Tensor) -> Rows:
    """The matrix whose rows have ``counts`` entries each, one row after the other."""
    begins = torch.cat([counts.new_zeros(1), counts.cumsum(0)])
    return begins.int(), columns.int(), values


def transposed(matrix: Rows, width: int) -> Rows:
    """The transpose of a matrix with ``width`` columns."""
    with _without_warnings():
        by_column = _sparse(matrix, width).to_sparse_csc()
    return by_column.ccol_indices().int(), by_column.row_indices().int(), by_column.values()


def product(matrix: Rows, transpose: Rows, x: Tensor) -> Tensor:
    """``x M^T``, (b, n) -> (b, m), in the precision of ``x``: M applied to each of the batch.

    Derivatives use the ``transpose``, so that they are as quick as the product.
    """
    out: Tensor = _Product.apply(x, matrix, transpose)
    return out


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(x: Tensor, matrix: Rows, transpose: Rows) -> Tensor:  # noqa: ARG004
        return (_sparse(matrix, x.shape[1], x.dtype) @ x.T).T.contiguous()

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:  # noqa: ARG004
        ctx.matrix, ctx.transpose = inputs[1:]

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> tuple[Tensor, None, None]:
        return product(ctx.transpose, ctx.matrix, gradients[0]), None, None

    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> Tensor:
        return product(ctx.matrix, ctx.transpose, tangents[0])


def _sparse(matrix: Rows, width: int, dtype: torch.dtype | None = None) -> Tensor:
    begins, columns, values = matrix
    with _without_warnings():
        return torch.sparse_csr_tensor(
            begins, columns, values.to(dtype), (len(begins) - 1, width), check_invariants=False
        )


@contextmanager
def _without_warnings() -> Iterator[None]:
    """PyTorch calls these matrices beta, once a process; products with them are all we ask."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Sparse CS[RC] tensor support is in beta")
        yield
