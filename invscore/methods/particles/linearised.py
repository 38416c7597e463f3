"""Nonlinear operators as linear ones with noise, for images that are known as a Gaussian."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

PRODUCTS, MOST = 64, 16
"""Points at which an operator is evaluated: as many as take ``PRODUCTS`` products with the
transpose of its Jacobian, at least two and at most ``MOST``."""


class Linearised(NamedTuple):
    """``A(x0) = clean + rows (x0 - mean)``, and the ``variance`` of what that leaves out.

    ``clean`` (b, k), of which m numbers are measured, ``variance`` (b, m), ``rows`` (b, m, n).
    """

    clean: Tensor
    rows: Tensor
    variance: Tensor


def linearised(
    operator: Callable[[Tensor], tuple[Tensor, Tensor]],
    mean: Tensor,
    away: Callable[[Tensor], Tensor],
    seen: Tensor,
    generator: torch.Generator,
) -> Linearised:
    """The linear operator that is nearest, in the mean square, for ``x0 ~ N(mean, C)``.

    Its rows are the mean of the Jacobian (Stein's lemma), ``clean`` the mean of A(x0): statistical
    linearisation, as of Sarkka 2013, Sec. 5.4. Of ``|x|`` around 0 it says that nothing is known of
    the sign and how large a number is expected, where the Jacobian at 0 would take one side. Means
    are over few points that are drawn alike for all, each with its mirror image, so that a linear
    operator comes out as it is, without variance.

    ``operator``: from numbers (b, n) to all of A and the rows of its Jacobian that are ``seen``,
    (b, m, n); ``clean`` has all numbers, ``variance`` those that are seen.
    ``mean`` (b, n). ``away``: from standard normal numbers (b, n) to draws of N(0, C).
    """
    half = max(1, min(MOST, PRODUCTS // max(1, len(seen))) // 2)
    white = torch.randn(half, mean.shape[1], generator=generator, dtype=mean.dtype).to(mean)
    moves = [away(one.expand(mean.shape)) for one in torch.cat([white, -white])]
    values, jacobians = zip(*(operator(mean + move) for move in moves), strict=True)
    clean, rows = sum(values) / len(moves), sum(jacobians) / len(moves)
    left = [
        (value - clean)[:, seen] - (rows @ move[..., None])[..., 0]
        for value, move in zip(values, moves, strict=True)
    ]
    return Linearised(clean, rows, sum(one.square() for one in left) / len(moves))
