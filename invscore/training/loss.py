"""The loss of a batch, by the objective that the configuration names.

Every objective teaches the same D: they differ in what they need, in the variance of their gradient
and, for `flow`, in the weight of the noise levels.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from invscore.batches import per_image
from invscore.priors.network import NetworkPrior
from invscore.training.batches import Batch
from invscore.training.config import Objective
from invscore.training.objectives import (
    VectorField,
    controlled_score_matching,
    denoising_score_matching,
    flow_matching,
    hutchinson_score_matching,
    stable_target_score_matching,
)

Loss = Callable[[NetworkPrior, Batch], Tensor]


def denoising(prior: NetworkPrior, batch: Batch) -> Tensor:
    """``w(sigma) |D(x) - x0|^2``, as in ``denoising_score_matching``, or with a teacher's targets
    in place of the images x0."""
    return denoising_score_matching(
        prior, batch.clean, batch.sigma, batch.noise, batch.maps, batch.target
    )


def flow(prior: NetworkPrior, batch: Batch) -> Tensor:
    """The velocity ``(x_t - D) / t`` of lines from the image, centred and in standard deviations,
    to the noise: at level sigma, ``t = sigma / (sigma + sigma_data)``."""
    spread = prior.sigma_data
    t = batch.sigma / (batch.sigma + spread)

    def velocity(x: Tensor, t: Tensor) -> Tensor:
        time = per_image(t, x)
        denoised = prior.denoise(prior.mean + spread * x / (1 - time), batch.sigma)
        return (x - (denoised - prior.mean) / spread) / time

    return flow_matching(velocity, (batch.clean - prior.mean) / spread, t, batch.noise)


def stable(prior: NetworkPrior, batch: Batch) -> Tensor:
    """Denoising with targets averaged over the reference; those of augmented images are their
    own: there are no others that were augmented like them."""
    if batch.reference is None:
        raise ValueError("stable targets need a batch with a reference")
    clean, sigma, noise = batch.clean, batch.sigma, batch.noise
    weight = score_weight(prior, sigma)
    return stable_target_score_matching(
        score_at(prior, sigma),
        clean,
        sigma,
        noise,
        batch.reference,
        weight,
        apart=None if batch.augmentation is None else batch.augmentation.any(dim=1),
    )


def controlled(prior: NetworkPrior, batch: Batch) -> Tensor:
    """Denoising with a control variate: two evaluations."""
    return controlled_score_matching(
        score_at(prior, batch.sigma),
        batch.clean,
        batch.sigma,
        batch.noise,
        score_weight(prior, batch.sigma),
    )


def implicit(prior: NetworkPrior, batch: Batch) -> Tensor:
    """``|s|^2 + 2 v . J v`` of the noisy images, with random signs v: second derivatives."""
    if batch.signs is None:
        raise ValueError("implicit score matching needs a batch with signs")
    return hutchinson_score_matching(
        score_at(prior, batch.sigma),
        batch.clean + per_image(batch.sigma, batch.clean) * batch.noise,
        batch.signs,
        score_weight(prior, batch.sigma),
    )


LOSSES: dict[Objective, Loss] = {
    "denoising": denoising,
    "flow": flow,
    "stable": stable,
    "controlled": controlled,
    "implicit": implicit,
}


def score_at(prior: NetworkPrior, sigma: Tensor) -> VectorField:
    """The score of the prior at the levels (b,), a function of images."""
    return lambda x: prior.score(x, sigma)


def score_weight(prior: NetworkPrior, sigma: Tensor) -> Tensor:
    """The weight by which squared errors of the score are the prior's weighted ones of D, (b,)."""
    return sigma**4 * prior.loss_weight(sigma)
