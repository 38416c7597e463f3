"""The exact score of the posterior, where the prior denoises noise that is not white."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from invscore import levels
from invscore.batches import PerImage, per_image
from invscore.likelihood import GaussianNoise, InverseProblem
from invscore.methods.base import Step, register
from invscore.methods.common.conditioned import EVALUATIONS, Conditioned, ConditionedDenoiser
from invscore.methods.common.information import Information, information
from invscore.operators import LinearOperator
from invscore.options.ranges import Count, Level
from invscore.priors.base import Prior
from invscore.priors.noise_covariance import NoiseCovariance
from invscore.rng import SampleRNG
from invscore.sampling import get_sampler
from invscore.sampling.base import SamplerName, noise_only

FARTHEST = 100.0
"""Level, in units of the first one, at which a noisy image tells nothing but the prior's mean."""


def serves(problem: InverseProblem, prior: Prior) -> DiagonalOperator | None:
    """Information of the measurement, where ``exact_score`` can use it, else None."""
    operator = problem.operator
    if not isinstance(operator, LinearOperator) or not isinstance(problem.noise, GaussianNoise):
        return None
    if not prior.noise_kinds:
        return None
    for precise in (torch.float64, problem.y.real.dtype):
        dtype = precise.to_complex() if operator.in_complex else precise
        like = torch.empty(0, dtype=dtype, device=problem.y.device)
        try:
            moved = operator.to(dtype=precise)
            told = information(moved, like, prior.noise_kinds)
        except (RuntimeError, TypeError):  # an operator of one's own that knows one precision
            continue
        return None if told is None else DiagonalOperator(moved, told, dtype)
    return None


class DiagonalOperator(NamedTuple):
    """An operator in the precision ``dtype`` of images, and the basis in which it is diagonal.

    Double where it can be: where y is precise and A^H A small, the rounding errors of A^H y in
    single precision would be magnified.
    """

    operator: LinearOperator
    information: Information
    dtype: torch.dtype


def conditioned(problem: InverseProblem, prior: Prior) -> ConditionedDenoiser:
    """``E[x0 | x, y]`` itself, see ``exact_score``."""
    return ConditionedDenoiser(Rule.of(problem, prior), problem, prior)


class Rule:
    """``p(x0 | x, y)``, proportional to ``p(x0) N(mu; x0, L^-1)``, by its mean."""

    def __init__(self, told: DiagonalOperator, alike: bool) -> None:
        self.told = told
        self.alike = alike  # the noise of all images, so that L is one for all

    @classmethod
    def of(cls, problem: InverseProblem, prior: Prior) -> Rule:
        _, _, variance = problem.linear_gaussian("exact_score")
        if (told := serves(problem, prior)) is None:
            kinds = " and between ".join(sorted(prior.noise_kinds))
            known = f"noise that differs between {kinds}" if kinds else "white noise alone"
            raise ValueError(
                f"exact_score needs a prior that denoises noise as the operator leaves it (see "
                f"Prior.denoise_with), got one that knows {known}"
            )
        return cls(told, alike=bool((variance == variance[0]).all()))

    def __call__(
        self, problem: InverseProblem, prior: Prior, x: Tensor, sigma: PerImage
    ) -> Conditioned:
        mu, noise = self.reduced(problem, x, sigma)
        return Conditioned(prior.denoise_with(mu, noise))

    def reduced(
        self, problem: InverseProblem, x: Tensor, sigma: PerImage
    ) -> tuple[Tensor, NoiseCovariance]:
        """``mu`` and ``L^-1``: x0 with that noise is all that ``x`` and ``y`` tell of it."""
        _, y, variance = problem.linear_gaussian("exact_score")
        operator, (basis, weights), dtype = self.told
        precise = x.to(dtype)
        level, s = per_image(sigma, precise) ** 2, per_image(variance, precise)
        s = s[:1] if self.alike else s
        seen = operator.rmatvec(y.to(dtype.to_complex() if y.is_complex() else dtype.to_real()))
        precision = weights / s + 1 / level
        pulls = basis.analyse(seen) / s + basis.analyse(precise) / level
        noise = NoiseCovariance(basis, (1 / precision).to(x.real.dtype))
        return basis.synthesise(pulls / precision).to(x.dtype), noise

    def last(self, problem: InverseProblem, x: Tensor, denoised: Tensor, sigma: float) -> Tensor:
        """The last step, from ``x`` at the level ``sigma`` to a sample, with what D(x) takes away.

        The flow from sigma to 0 shrinks ``x - x0`` by the root of what D shrinks it by. Of D's
        gain, the measurement's share g = L^-1 / sigma^2 is known, and its root taken; the prior's,
        near 1 where sigma is small beside what the prior resolves, is halved: ``(1 + J) / 2`` for
        the root of J.
        """
        mu, noise = self.reduced(problem, x, sigma)
        root = (noise.variances / sigma**2).sqrt()
        kept = noise.filter(x - mu, root / (1 + root)) + noise.filter(mu - denoised, 0.5 * root)
        return denoised + kept


@register(
    "exact_score",
    exact=True,
    law="posterior as steps grow",
    needs=("linear", "gaussian", "coloured"),
    evaluations=EVALUATIONS,
    cites="the exact posterior score, in the isotropic case tilted transport (Bruna & Han 2024); "
    "the sampler of Lu et al. 2022",
    denoiser=conditioned,
    antithetic=True,
    white=True,
)
def exact_score(
    problem: InverseProblem,
    prior: Prior,
    rng: SampleRNG,
    *,
    steps: Count = 20,
    sampler: SamplerName = "dpm++2m",
    sigma_max: Level | None = None,
    sigma_min: Level | None = None,
) -> Iterator[Step]:
    """Diffusion of the posterior by its exact score.

    The posterior's own diffusion, reversed: its score is a denoiser of noise that is not white.
    Completing the square, ``p(x0 | x, y)`` of x = x0 + sigma n and y = A x0 + s n' is proportional
    to ``p(x0) N(mu; x0, L^-1)``, with ``L = A^H A / s^2 + I / sigma^2`` and ``mu = L^-1 (A^H y /
    s^2 + x / sigma^2)``. Its mean is what the prior denoises mu to that has noise of the covariance
    L^-1: no guidance, no Jacobian, and exact at every level, so that every sampler draws from the
    posterior as its steps grow, whatever the number of modes.

    Serves priors with ``denoise_with``, for noise that differs between pixels where A^H A is
    diagonal over pixels (masks, denoising), between frequencies where it filters (blurs of periodic
    images, Fourier sampling of one coil), and in a basis of any kind where images are small and the
    prior takes matrices, as Gaussians and their mixtures do.

    Begins at infinity, where ``E[x0 | y]`` is all that is known, and takes geometric levels from
    ``sigma_max`` to ``sigma_min``; what is then left of the flow is taken in one step.

    ``steps``: of the sampler, with the first and the last. ``sampler``: of ``invscore.sampling``.
    ``sigma_max``, ``sigma_min``: in image units (default: 160 and 0.008 standard deviations of a
    pixel under the prior, as far as the prior knows them).

    After the example of ``invscore.methods``:

    >>> result = reconstruct(problem, prior, method="exact_score", samples=4, antithetic=True)
    >>> bool((result.mean - exact.mean).abs().mean() < 0.02)
    True
    """
    denoise = conditioned(problem, prior)
    high = noise_only(prior) if sigma_max is None else sigma_max
    low = min(levels.finest(prior), high) if sigma_min is None else sigma_min
    sigmas = levels.geometric(max(1, steps - 1), high, low)
    blank = problem.y.new_zeros(
        len(problem.y), *problem.operator.in_shape, dtype=problem.image_dtype
    )
    mean = denoise(blank + prior.mean, min(prior.sigma_max, FARTHEST * high))
    x = mean + sigmas[0] * rng.normal_like(mean)
    if steps == 1:
        yield Step(mean, mean, high)
        return
    yield Step(x, mean, sigmas[0])
    if len(sigmas) > 1:
        info = get_sampler(sampler)
        for lower, x in zip(sigmas[1:], info.run(denoise, x, sigmas, rng), strict=True):  # noqa: B020
            yield Step(x, denoise.last["mean"], lower)
    denoised = denoise(x, sigmas[-1])
    assert isinstance(denoise.rule, Rule)
    x = denoise.rule.last(problem, x, denoised, sigmas[-1])
    yield Step(x, denoised, sigmas[-1])
