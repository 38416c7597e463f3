"""The density that optimisers climb and Markov chains sample."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from invscore.likelihood import InverseProblem
from invscore.methods.tempering import tempering
from invscore.operators.base import broadcast
from invscore.priors.base import Prior


@dataclass(frozen=True)
class Target:
    """``log p(y | x) + log p_sigma(x)``, p_sigma the prior smoothed by ``sigma`` > 0."""

    problem: InverseProblem
    prior: Prior
    sigma: float

    def uphill(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The gradient at ``x`` and the denoised image, by one evaluation of the denoiser."""
        denoised = self.prior.denoise(x, self.sigma)
        return self.problem.score(x) + (denoised - x) / self.sigma**2, denoised

    def log_density(self, x: Tensor) -> Tensor:
        """Up to a constant, (b, 1, ..., 1). ``ValueError`` where the prior has a score alone."""
        return broadcast(self.problem.log_likelihood(x) + self.prior.log_density(x, self.sigma), x)

    def pace(self, x: Tensor) -> Tensor:
        """``1 / (1 / sigma^2 + |A|^2 / s^2)``, (b, 1, ..., 1), the inverse of a curvature.

        With a linear operator and Gaussian noise the density bends down nowhere more sharply;
        elsewhere it is an estimate at ``x``.
        """
        return self.sigma**2 * tempering(self.problem, x)(self.sigma)
