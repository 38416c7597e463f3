"""Simulation-based calibration: no posterior need be known, if the prior can sample itself.

Images x come from the prior and measurements y from x. Then x and a posterior sample given y have
the same law, and the rank of any quantity of x among those of the samples is uniform (Talts et al.
2018). An instance is a batch of such pairs; quantities are random projections, pixels, and the
likelihood of y, which sees samples that ignore the measurement (Modrák et al. 2023).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache, partial

import torch
from torch import Tensor

from invscore.bench.posterior import ranks
from invscore.bench.posterior.metrics import CREDIBLE
from invscore.bench.posterior.problem import Instance, Metric, Problem, Scores, register
from invscore.likelihood import GaussianNoise, InverseProblem, simulate
from invscore.operators import Blur, Inpainting, Operator, SuperResolution
from invscore.priors import StationaryGaussianPrior, available_priors, load_prior
from invscore.priors.base import Prior
from invscore.sampling import sample

PAIRS = 40
PROJECTIONS, PIXELS = 8, 8
HEUN_STEPS = 20  # 40 evaluations

ECDF = Metric(
    "rank ECDF",
    "greatest deviation of the ranks' distribution function, times the root of their number",
)
CHI_SQUARE = Metric("chi-square", "of the ranks in five bins, over its degrees of freedom", 1.0)
OUTSIDE = Metric(
    "outside", "share of quantities whose ranks leave the 95 % band of uniform ones", 0.05
)
COVERED = Metric("coverage", "share of truths within the samples' central 90 % intervals", CREDIBLE)
METRICS = (ECDF, CHI_SQUARE, OUTSIDE, COVERED)
TENTHS = tuple(f"ranks in tenth {k}" for k in range(1, 11))


def instance_of(
    prior: Prior, truth: Tensor, operator: Operator, noise: float, seed: int
) -> Instance:
    """The measurements of ``truth``, (b, \\*shape), and the ranks of its quantities."""
    likelihood = GaussianNoise(noise)
    problem = InverseProblem(operator, simulate(operator, truth, likelihood, seed), likelihood)
    quantities = quantities_of(problem, truth, seed)
    known = quantities(truth)

    def score(samples: Tensor) -> Scores:
        drawn = torch.stack([quantities(x) for x in samples])
        return scores(ranks.ranks_among(known, drawn), len(samples))

    def floor(n: int) -> Scores:
        return scores(ranks.uniform_ranks(tuple(known.shape), n, seed), n)

    return Instance(problem, prior, score, floor)


def quantities_of(problem: InverseProblem, truth: Tensor, seed: int) -> Callable[[Tensor], Tensor]:
    """The function from images, (b, \\*shape), one a measurement, to their quantities, (b, k).

    Pixels are drawn in proportion to the variance of the ``truth`` there: a background that never
    changes has no rank.
    """
    generator = torch.Generator().manual_seed(seed)
    directions = torch.randn(truth[0].numel(), PROJECTIONS, generator=generator)
    pixels = torch.multinomial(truth.flatten(1).var(dim=0), PIXELS, generator=generator)

    def quantities(x: Tensor) -> Tensor:
        flat = x.flatten(1)
        likelihood = problem.log_likelihood(x)[:, None]
        return torch.cat([flat @ directions.to(flat), flat[:, pixels], likelihood], dim=1)

    return quantities


def scores(found: Tensor, n: int) -> Scores:
    """The metrics of ranks (b, k) among n samples, and the shares of ranks in each tenth."""
    shares = ranks.binned(found, n, len(TENTHS)).mean(dim=1) / len(found)
    return {
        **dict(zip(TENTHS, shares.tolist(), strict=True)),
        ECDF.name: ranks.deviation(found, n),
        CHI_SQUARE.name: ranks.chi_square(found, n),
        OUTSIDE.name: ranks.outside(found, n),
        COVERED.name: ranks.coverage(found, n, CREDIBLE),
    }


def gaussian(seed: int) -> Instance:
    """A stationary field of 16 x 16 pixels under a mask: exact methods have uniform ranks."""
    shape = (1, 16, 16)
    prior = StationaryGaussianPrior.power_law(shape)
    return instance_of(prior, prior.sample(PAIRS, seed), Inpainting.random(shape, 0.3), 0.1, seed)


DIGIT = (1, 28, 28)
MEASURED: dict[str, tuple[Operator, str]] = {
    "blur": (Blur.gaussian(2.0, DIGIT), "a blur of standard deviation 2 pixels"),
    "superres": (SuperResolution(2, DIGIT), "a quarter as many pixels, each an average"),
    "half": (Inpainting.box(DIGIT, (14, 28), (14, 0)), "their upper half"),
}


def _count(operator: Operator) -> int:
    mask = operator.measured
    return math.prod(operator.out_shape) if mask is None else int(mask.sum())


@lru_cache(maxsize=1)
def _shipped(name: str) -> Prior:
    return load_prior(name)


def digits(seed: int, kind: str) -> Instance:
    """Digits that the shipped prior has drawn itself, measured as ``kind`` says."""
    prior = _shipped("digits")
    truth = sample(prior, DIGIT, n=PAIRS, sampler="heun", seed=seed * PAIRS, steps=HEUN_STEPS)
    return instance_of(prior, truth.samples, MEASURED[kind][0], 0.1, seed)


register(
    Problem(
        name="sbc-gaussian",
        what=f"{PAIRS} stationary Gaussian fields of 16 x 16 pixels, known by 30 % of the pixels",
        dim=256,
        measurements=77,
        noise=0.1,
        metrics=METRICS,
        samples=39,
        build=gaussian,
    )
)
if "digits" in available_priors():
    for kind, (operator, measured) in MEASURED.items():
        register(
            Problem(
                name=f"sbc-digits-{kind}",
                what=f"{PAIRS} digits drawn by the prior itself, known by {measured}",
                dim=784,
                measurements=_count(operator),
                noise=0.1,
                metrics=METRICS,
                samples=19,
                build=partial(digits, kind=kind),
                standard=False,  # 760 evaluations of a network a step: 3 s
            )
        )
