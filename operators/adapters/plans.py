"""Plans of FINUFFT that are kept between calls, and the transforms by them on the CPU."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import torch
from torch import Tensor

from invscore.operators.base import Shape

KEPT = 4
"""Plans that one operator keeps: both directions in two precisions, or of two sizes of batches."""

Key = tuple[bool, torch.dtype, int]
"""Whether it is the adjoint, the complex type, and how many transforms at once."""


class Plans:
    """Plans with their points set: those at ``omega``, (axes, n), of images of ``shape``.

    To set the points sorts them. While one thread computes with a plan, no other one finds it.
    Copies and pickles begin without any.
    """

    def __init__(self, omega: Tensor, shape: Shape, accuracy: float) -> None:
        self.omega, self.shape, self.accuracy = omega, tuple(shape), accuracy
        self._lock = threading.Lock()
        self._idle: dict[Key, Any] = {}

    def execute(self, batch: Tensor, adjoint: bool) -> Tensor:
        """The sums of a batch (..., *shape), or the adjoint ones of (..., n), not normalised."""
        inner = 1 if adjoint else len(self.shape)
        outer = batch.shape[: batch.ndim - inner]
        given = batch.resolve_conj().resolve_neg().contiguous().numpy()
        key = (adjoint, batch.dtype, outer.numel())
        with self._lock:
            plan = self._idle.pop(key, None)
        plan = plan or self._made(key)
        # A plan of one transform takes no axis of the batch.
        several = () if outer.numel() == 1 else (outer.numel(),)
        values = given.reshape(*several, *batch.shape[batch.ndim - inner :])
        found = torch.from_numpy(plan.execute(values))
        with self._lock:
            self._idle[key] = plan
            while len(self._idle) > KEPT:
                del self._idle[next(iter(self._idle))]
        return found.reshape(*outer, *(self.shape if adjoint else self.omega.shape[1:]))

    def _made(self, key: Key) -> Any:
        from finufft import Plan

        adjoint, dtype, transforms = key
        double = dtype == torch.complex128
        plan = Plan(
            1 if adjoint else 2,
            self.shape,
            transforms,
            1e-12 if double else self.accuracy,
            1 if adjoint else -1,
            "complex128" if double else "complex64",
        )
        real = np.float64 if double else np.float32
        plan.setpts(*np.ascontiguousarray(self.omega.detach().cpu().numpy(), real))
        return plan

    def __getstate__(self) -> dict[str, Any]:
        return {"omega": self.omega, "shape": self.shape, "accuracy": self.accuracy}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)  # type: ignore[misc]


class PlannedTransform(torch.autograd.Function):
    """``Plans.execute`` with its derivatives, which are the same transform and its adjoint."""

    @staticmethod
    def forward(batch: Tensor, plans: Plans, adjoint: bool) -> Tensor:
        return plans.execute(batch, adjoint)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:  # noqa: ARG004
        ctx.plans, ctx.adjoint = inputs[1:]

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> tuple[Tensor, None, None]:
        return PlannedTransform.apply(gradients[0], ctx.plans, not ctx.adjoint), None, None

    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> Tensor:
        return PlannedTransform.apply(tangents[0], ctx.plans, ctx.adjoint)

    @staticmethod
    def vmap(
        info: Any,  # noqa: ARG004
        in_dims: tuple[int | None, ...],
        batch: Tensor,
        plans: Plans,
        adjoint: bool,
    ) -> tuple[Tensor, int]:
        return PlannedTransform.apply(batch.movedim(in_dims[0] or 0, 0), plans, adjoint), 0
