"""A prior that counts what is asked of it."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from invscore.batches import PerImage
from invscore.priors.base import Prior
from invscore.priors.noise_covariance import NoiseCovariance


class CountedPrior(Prior):
    """``prior``, whose ``evaluations`` and ``jacobian_products`` count each image by ``weight``."""

    def __init__(self, prior: Prior, weight: float = 1.0) -> None:
        self.prior = prior
        self._take_after(prior)
        self.noise_kinds = prior.noise_kinds
        self.weight = weight
        self.evaluations = 0.0
        self.jacobian_products = 0.0

    def denoise(self, x: Tensor, sigma: PerImage) -> Tensor:
        self.evaluations += self.weight * len(x)
        return self.prior.denoise(x, sigma)

    def denoise_with(self, x: Tensor, noise: NoiseCovariance) -> Tensor:
        self.evaluations += self.weight * len(x)
        return self.prior.denoise_with(x, noise)

    def score(self, x: Tensor, sigma: PerImage) -> Tensor:
        self.evaluations += self.weight * len(x)
        return self.prior.score(x, sigma)

    def log_density(self, x: Tensor, sigma: PerImage) -> Tensor:
        self.evaluations += self.weight * len(x)
        return self.prior.log_density(x, sigma)

    def pullback(self, x: Tensor, sigma: PerImage) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
        self.evaluations += self.weight * len(x)
        denoised, pull = self.prior.pullback(x, sigma)

        def counted_pull(u: Tensor) -> Tensor:
            self.jacobian_products += self.weight * len(u)
            return pull(u)

        return denoised, counted_pull
