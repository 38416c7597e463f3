"""Gaussian images behind Gaussian noise of any covariance: evidence and denoised images."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from invscore.hardware.doubles import doubled
from invscore.priors.covariance import Covariance
from invscore.priors.noise_covariance import LARGEST, Kind, NoiseCovariance


def kinds_of(covariance: Covariance, size: int) -> frozenset[Kind]:
    """The noise behind which images of this covariance and of ``size`` numbers are known."""
    if covariance.isotropic or size <= LARGEST:
        return frozenset({"pixels", "frequencies", "matrix"})
    return frozenset() if covariance.basis is not None else frozenset({"pixels"})


@dataclass(frozen=True)
class Coloured:
    """``x0 ~ N(means_k, C)`` and ``x = x0 + n``, n of the covariance ``noise``, in a basis V.

    ``spread`` has the diagonal of C in V, where C is diagonal there; elsewhere ``factor`` is that
    of Cholesky of C and the noise together, (b, d, d) or (1, d, d), and V the identity.
    """

    x: Tensor
    means: Tensor
    noise: NoiseCovariance
    covariance: Covariance
    spread: Tensor | None
    factor: Tensor | None

    @classmethod
    def of(
        cls, x: Tensor, means: Tensor, covariance: Covariance, noise: NoiseCovariance
    ) -> Coloured:
        """For noisy images (b, \\*shape) and means (m, \\*shape)."""
        diagonal = covariance.basis is None and noise.basis.kind == "pixels"
        if covariance.isotropic or diagonal:
            values = covariance.values.reshape(means.shape[1:])
            analyse = noise.basis.analyse
            return cls(analyse(x), analyse(means), noise, covariance, values, None)
        total = doubled(covariance.matrix) + noise.dense()
        return cls(x, means, noise, covariance, None, torch.linalg.cholesky(total))

    def log_evidence(self) -> Tensor:
        """``log N(x; means_k, C + noise)``, (b, m)."""
        constant = 0.5 * self.means[0].numel() * math.log(2 * math.pi)
        if self.spread is not None:
            total = self.spread + self.noise.variances
            volume = total.log().expand(self.x.shape).flatten(1).sum(dim=1)
            each = [((self.x - m).square() / total).flatten(1).sum(dim=1) for m in self.means]
            return -0.5 * (torch.stack(each, dim=1) + volume[:, None]) - constant
        away = doubled((self.x[:, None] - self.means).flatten(2))
        assert self.factor is not None
        if len(self.factor) == 1:  # one factor solves for all images at once
            right = away.flatten(0, 1).T
            white = torch.linalg.solve_triangular(self.factor[0], right, upper=False)
            squares = white.square().sum(dim=0).reshape(away.shape[:2])
        else:
            white = torch.linalg.solve_triangular(self.factor, away.mT, upper=False)
            squares = white.square().sum(dim=1)
        volume = self.factor.diagonal(dim1=1, dim2=2).log().sum(dim=1)
        evidence = -0.5 * squares - volume[:, None] - constant
        return evidence.to(self.x)

    def denoised(self, share: Tensor) -> Tensor:
        """``sum_k share_k E[x0 | x, k]``, (b, \\*shape), of shares (b, m)."""
        total = share.sum(dim=1).reshape(-1, *[1] * (self.x.ndim - 1))
        mean = torch.tensordot(share, self.means, dims=1)
        away = total * self.x - mean
        if self.spread is not None:
            gain = self.spread / (self.spread + self.noise.variances)
            return self.noise.basis.synthesise(mean + gain * away)
        assert self.factor is not None
        right = doubled(away.flatten(1))
        if len(self.factor) == 1:
            explained = torch.cholesky_solve(right.T, self.factor[0]).T
        else:
            explained = torch.cholesky_solve(right[..., None], self.factor)[..., 0]
        moved = explained @ doubled(self.covariance.matrix)
        return mean + moved.to(away).reshape(away.shape)
