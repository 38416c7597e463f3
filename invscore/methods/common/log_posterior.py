"""The density that optimisers climb and Markov chains sample."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from invscore.likelihood import InverseProblem
from invscore.methods.common.tempering import tempering
from invscore.operators.base import broadcast
from invscore.priors.base import Prior


@dataclass(frozen=True)
class LogPosterior:
    """``log p(y | x) + log p_sigma(x)``, p_sigma the prior smoothed by ``sigma`` > 0."""

    problem: InverseProblem
    prior: Prior
    sigma: float

    def gradient(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The gradient at ``x`` and the denoised image, by one evaluation of the denoiser."""
        denoised = self.prior.denoise(x, self.sigma)
        return self.problem.score(x) + (denoised - x) / self.sigma**2, denoised

    def value(self, x: Tensor) -> Tensor:
        """Up to a constant, (b, 1, ..., 1). ``ValueError`` where the prior has a score alone."""
        return broadcast(self.problem.log_likelihood(x) + self.prior.log_density(x, self.sigma), x)

    def step_size(self, x: Tensor) -> Tensor:
        """``1 / (1 / sigma^2 + |A|^2 / s^2)``, (b, 1, ..., 1), the inverse of a curvature.

        With a linear operator and Gaussian noise the density bends down nowhere more sharply;
        elsewhere it is an estimate at ``x``.
        """
        return self.sigma**2 * tempering(self.problem, x)(self.sigma)
