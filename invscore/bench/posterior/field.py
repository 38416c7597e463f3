"""A stationary Gaussian field of 64 x 64 pixels, blurred, masked, or sampled in Fourier space."""

from __future__ import annotations

from functools import lru_cache, partial

import torch
from torch import Tensor

from invscore.bench.posterior.data_space import DataSpace
from invscore.bench.posterior.metrics import COVERAGE, MARGINALS, MEAN, VARIANCE, gaussian_scores
from invscore.bench.posterior.problem import Instance, Problem, Scores, exact_rng, register
from invscore.exact import exact_posterior
from invscore.likelihood import GaussianNoise, InverseProblem, simulate
from invscore.operators import MRI, Blur, Inpainting, LinearOperator
from invscore.priors import StationaryGaussianPrior
from invscore.rng import SampleRNG

SHAPE = (1, 64, 64)
NOISE = 0.1
KINDS = {
    "blur": ("periodic blur of standard deviation 1.5 pixels", 4096),
    "mask": ("30 % of the pixels", 1229),
    "fourier": ("a quarter of the lines of its Fourier transform", 2048),
}
"""The measurements: in words, and the number of real numbers measured."""


def operator_of(kind: str) -> LinearOperator:
    """The operator of a kind, one for all its instances."""
    if kind == "blur":
        return Blur.gaussian(1.5, SHAPE)
    return Inpainting.random(SHAPE, keep=0.3) if kind == "mask" else MRI.random(SHAPE, real=True)


def field_prior() -> StationaryGaussianPrior:
    """A field of mean 0, variance 1 and power |f|^-2."""
    return StationaryGaussianPrior.power_law(SHAPE)


@lru_cache(maxsize=1)
def _masked() -> tuple[DataSpace, Tensor]:
    """Posterior under the mask, which is not stationary, in what its instances share."""
    space = DataSpace(operator_of("mask"), field_prior(), NOISE)
    return space, space.std()


def build(seed: int, kind: str) -> Instance:
    """A field and its measurement, ``kind`` of ``KINDS``."""
    prior, operator, noise = field_prior(), operator_of(kind), GaussianNoise(NOISE)
    y = simulate(operator, prior.sample(1, seed), noise, seed)
    problem = InverseProblem(operator, y, noise)
    if kind == "mask":
        space, std = _masked()
        mean = space.mean(y)
    else:
        posterior = exact_posterior(problem, prior)
        mean, std = posterior.mean, posterior.std

    def draw(n: int, rng: SampleRNG) -> Tensor:
        return space.sample(y, rng, n) if kind == "mask" else posterior.sample(n, rng)

    def score(samples: Tensor) -> Scores:
        return gaussian_scores(samples, mean, std)

    def floor(n: int) -> Scores:
        return score(draw(n, exact_rng(seed, n, "floor")))

    return Instance(problem, prior, score, floor)


for name, (measured, numbers) in KINDS.items():
    register(
        Problem(
            name=f"field-{name}",
            what=f"stationary Gaussian field of 64 x 64 pixels, power |f|^-2, known by {measured}",
            dim=torch.Size(SHAPE).numel(),
            measurements=numbers,
            noise=NOISE,
            metrics=(MARGINALS, MEAN, VARIANCE, COVERAGE),
            samples=100,
            build=partial(build, kind=name),
        )
    )
