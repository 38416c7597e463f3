"""Muon: momentum whose singular values are all made equal."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Coefficients of the quintic ``a s + b s^3 + c s^5`` that moves singular values s in (0, 1]
towards 1, fast near 0 and only roughly near 1 (Jordan et al. 2024)."""

ITERATIONS = 5
RMS = 0.2
"""Root mean square of an update per unit of learning rate, that of AdamW (Liu et al. 2025)."""


def orthogonalised(matrices: Tensor) -> Tensor:
    """``U V^T`` of ``U S V^T`` (..., rows, columns), nearly: singular values of about 0.7 to 1.2.

    Newton-Schulz iterations (Jordan et al. 2024), ``X_k+1 = p(X_k X_k^T) X_k``. Each is a
    polynomial of X_0 X_0^T from the left, so that the polynomials alone are iterated, square
    matrices of the shorter side, and multiply X_0 once: a third of the time for the weights of a
    convolution. In double precision the result is that of the iterations themselves, in single
    precision it is within 0.002 of it; bfloat16 would not do.
    """
    a, b, c = COEFFICIENTS
    tall = matrices.shape[-2] > matrices.shape[-1]
    x = matrices.mT if tall else matrices
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    gram = x @ x.mT
    one = torch.eye(gram.shape[-1], dtype=x.dtype, device=x.device)
    whole = one
    for _ in range(ITERATIONS):
        polynomial = a * one + b * gram + c * gram @ gram
        whole = polynomial @ whole
        gram = polynomial @ gram @ polynomial
    x = whole @ x
    return x.mT if tall else x


class Muon(torch.optim.Optimizer):
    """Orthogonalised Nesterov momentum, for weights of two or more dimensions.

    A weight is a matrix of its first dimension by all others. Its update has the root mean square
    of AdamW's, ``0.2 sqrt(max(rows, columns))`` times an orthogonal matrix, so that both share a
    learning rate; the weight decay is decoupled (Liu et al. 2025, Sec. 2.2).

    ``torch.optim.Muon`` takes matrices alone, no weights of convolutions, and works in bfloat16
    wherever it is.
    """

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        lr: float,
        *,
        weight_decay: float = 0.0,
        momentum: float = 0.95,
    ) -> None:
        super().__init__(parameters, {"lr": lr, "weight_decay": weight_decay, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]  # noqa: ARG002
        for group in self.param_groups:
            alike: dict[tuple[int, ...], list[nn.Parameter]] = defaultdict(list)
            for w in group["params"]:
                if w.grad is not None:
                    alike[tuple(w.shape)].append(w)
            for weights in alike.values():
                self._update(weights, group)

    def _update(self, weights: list[nn.Parameter], group: dict[str, float]) -> None:
        """A step of weights of one shape, which are orthogonalised together."""
        ahead = torch.stack([self._momentum(w, group["momentum"]).flatten(1) for w in weights])
        rows, columns = ahead.shape[1:]
        length = group["lr"] * RMS * max(rows, columns) ** 0.5
        for w, direction in zip(weights, orthogonalised(ahead), strict=True):
            w.mul_(1 - group["lr"] * group["weight_decay"])
            w.add_(direction.reshape(w.shape), alpha=-length)

    def _momentum(self, w: nn.Parameter, decay: float) -> Tensor:
        """The average of the gradients, updated, and looked ahead of by one step."""
        assert w.grad is not None
        state = self.state[w]
        if not state:
            state["momentum"] = torch.zeros_like(w)
        return w.grad.lerp(state["momentum"].lerp_(w.grad, 1 - decay), decay)
