"""Gaussian posteriors from fewer measurements than pixels, exact at image size."""

from __future__ import annotations

import torch
from torch import Tensor

from invscore.operators import LinearOperator
from invscore.priors.gaussian import Gaussian
from invscore.rng import SampleRNG


class DataSpace:
    """The posterior of ``N(m, C)`` given ``y = A x + s n``, A real, by the covariance of y.

    With ``K = A C A^T + s^2 I``, (n, n) for n measured numbers, the posterior has mean
    ``m + C A^T K^-1 (y - A m)`` and covariance ``C - C A^T K^-1 A C``; the factor of K serves every
    measurement. All in float64: time of order n^2 (n + d), memory n d for d pixels.
    """

    def __init__(self, operator: LinearOperator, prior: Gaussian, noise: float) -> None:
        self.operator = operator.to(dtype=torch.float64)
        self.prior = prior.to(dtype=torch.float64)
        self.noise = noise
        mask = operator.measured
        self.measured = torch.ones(operator.out_shape, dtype=torch.bool) if mask is None else mask
        units = torch.eye(self.measured.numel(), dtype=torch.float64)[self.measured.flatten()]
        seen = self.operator.rmatvec(units.reshape(-1, *operator.out_shape))
        self.cross = self.prior.filter(seen, self.prior.eigenvalues[None])  # A C, (n, *shape)
        data = self._numbers(self.operator.matvec(self.cross))
        self.factor = torch.linalg.cholesky(data + noise**2 * torch.eye(len(data)))

    def std(self) -> Tensor:
        """The posterior standard deviation of each pixel."""
        explained = torch.linalg.solve_triangular(self.factor, self.cross.flatten(1), upper=False)
        explained = explained.square().sum(dim=0).reshape(self.prior.shape)
        return (self.prior.std**2 - explained).sqrt()

    def mean(self, y: Tensor) -> Tensor:
        """The posterior mean given one measurement, (1, \\*out_shape)."""
        return self._updated(self.prior.mean[None], y)[0]

    def sample(self, y: Tensor, rng: SampleRNG, n: int) -> Tensor:
        """``n`` posterior samples, (n, \\*shape), from as many streams.

        A draw from the prior is corrected by the misfit of a measurement simulated from it: the
        result has the posterior's law (Hoffman & Ribak 1991).
        """
        x = self.prior.sample(n, rng)
        noise = self.noise * rng.normal_like(self.operator.matvec(x))
        return self._updated(x, y - noise)

    def _updated(self, x: Tensor, y: Tensor) -> Tensor:
        """``x + C A^T K^-1 (y - A x)``."""
        misfit = self._numbers(y.double() - self.operator.matvec(x))
        explained = torch.cholesky_solve(misfit.T, self.factor).T
        return x + torch.tensordot(explained, self.cross, dims=1)

    def _numbers(self, y: Tensor) -> Tensor:
        """The measured entries, (b, n)."""
        return y[:, self.measured]
