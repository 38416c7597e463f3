"""Draws from the posterior of a signal of independent increments, seen by any linear operator.

Zach, Haouchat & Unser 2026, Sec. 3: the latent variances V of the increments given the increments u
are independent, and u given V is Gaussian. Jumps that may not happen are drawn with u integrated
out, one after the other, as a chain that knows u could not leave the place of a jump.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from invscore.bench.posterior.levy_laws import Law


@dataclass(frozen=True)
class IncrementSamples:
    """Samples of increments, (steps, chains, d), and their ``means`` given the latent variances.

    The mean of the ``means`` is that of the draws with less noise (Rao & Blackwell).
    """

    increments: Tensor
    means: Tensor


def sample_increments(
    law: Law,
    matrix: Tensor,
    y: Tensor,
    noise: float,
    *,
    chains: int,
    burn_in: int,
    steps: int,
    seed: int,
) -> IncrementSamples:
    """Draws of u given ``y = matrix u + noise n``; all in float64.

    ``matrix`` (n, d), ``y`` (n,) or (chains, n), one a chain. Chains begin at the prior; their
    first ``burn_in`` steps are thrown away.
    """
    random = np.random.default_rng(seed)
    shape = (chains, matrix.shape[1])
    gram, seen = matrix.T @ matrix / noise**2, (y @ matrix / noise**2).expand(shape)
    u = law.sample(shape, random)
    variances = torch.zeros(shape, dtype=torch.float64)
    increments, means = [], []
    for step in range(burn_in + steps):
        w = law.latent(u, law.noise(shape, random))
        if law.jumps < 1:
            uniform = torch.from_numpy(random.random(shape))
            variances = _draw_jumps(variances, w, gram, seen, uniform, _log_odds(law.jumps))
        else:
            variances = w
        white = torch.from_numpy(random.standard_normal(shape))
        u, mean = _draw_gaussian(variances, gram, seen, white)
        if step >= burn_in:
            increments.append(u)
            means.append(mean)
    return IncrementSamples(torch.stack(increments), torch.stack(means))


def _draw_gaussian(
    variances: Tensor, gram: Tensor, seen: Tensor, white: Tensor
) -> tuple[Tensor, Tensor]:
    """A draw of u given its ``variances``, and its mean, (b, d).

    With R the root of the variances, ``u = R z``, z of precision ``I + R gram R``: well conditioned
    where variances are 0 or huge.
    """
    roots = variances.sqrt()
    factor = _factor(roots, gram)
    mean = torch.cholesky_solve((roots * seen)[..., None], factor)
    away = torch.linalg.solve_triangular(factor.mT, white[..., None], upper=True)
    return roots * (mean + away)[..., 0], roots * mean[..., 0]


def _draw_jumps(
    variances: Tensor, w: Tensor, gram: Tensor, seen: Tensor, uniform: Tensor, odds: float
) -> Tensor:
    """New variances: each becomes that in ``w`` or 0, given the others and y, u integrated out.

    Follows ``M = H^T K^-1 H`` and ``r = H^T K^-1 y``, K the covariance of y and H the matrix,
    through changes of K by one column of H (Sherman & Morrison).
    """
    roots = variances.sqrt()
    both = torch.cat([gram.expand(len(seen), -1, -1), seen[..., None]], dim=2)
    root = torch.linalg.solve_triangular(_factor(roots, gram), roots[..., None] * both, upper=False)
    both = both - root[..., :-1].mT @ root
    m, r = both[..., :-1].contiguous(), both[..., -1]
    threshold = odds - torch.special.logit(uniform)
    drawn = variances.clone()
    for k in range(variances.shape[1]):
        old = (
            1 - drawn[:, k] * m[:, k, k]
        )  # without this jump, M_kk is M_kk / old, r_k is r_k / old
        weight = w[:, k] * m[:, k, k] / old
        surprise = 0.5 * w[:, k] * (r[:, k] / old) ** 2 / (1 + weight)
        jump = threshold[:, k] + surprise > 0.5 * weight.log1p()
        new = torch.where(jump, w[:, k], 0.0)
        change = (drawn[:, k] - new) / (1 + (new - drawn[:, k]) * m[:, k, k])
        column = m[:, :, k].clone()
        r = r + (change * r[:, k])[:, None] * column
        m = torch.baddbmm(m, (change[:, None] * column)[:, :, None], column[:, None, :])
        drawn[:, k] = new
    return drawn


def _factor(roots: Tensor, gram: Tensor) -> Tensor:
    """The Cholesky factor of ``I + R gram R``, (b, d, d)."""
    inner = roots[..., :, None] * gram * roots[..., None, :]
    return torch.linalg.cholesky(inner + torch.eye(len(gram), dtype=gram.dtype))


def _log_odds(probability: float) -> float:
    return float(np.log(probability) - np.log1p(-probability))
