"""Denoisers that know the measurement, and samples of the posterior by any sampler."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, NamedTuple

from torch import Tensor

from invscore import levels
from invscore.batches import PerImage
from invscore.likelihood import InverseProblem
from invscore.methods.base import Step, get_method
from invscore.methods.common.initial_guess import Initial, initial_guess
from invscore.operators import jacobian
from invscore.operators.cg import conjugate_gradient
from invscore.priors.base import Prior
from invscore.rng import SampleRNG
from invscore.sampling import get_sampler

EVALUATIONS = "2 if sampler in ('heun', 'pc') else 1"
"""Of the denoiser in a step by a sampler of that name, at most, and Jacobian products where each
takes one."""

FEW = 10
"""Iterations of conjugate gradients that are made without a test of convergence, which would wait
for the device."""


class Conditioned(NamedTuple):
    """Estimate from noisy images: ``mean``, of E[x0 | x, y], and ``info``."""

    mean: Tensor
    info: Mapping[str, float | Tensor] = MappingProxyType({})


Rule = Callable[[InverseProblem, Prior, Tensor, PerImage], Conditioned]
"""``rule(problem, prior, x, sigma)``: E[x0 | x, y] of x0 + sigma n = x, or an estimate of it."""


@dataclass(frozen=True)
class ConditionedDenoiser:
    r"""``(x, sigma) -> E[x0 | x, y]`` by a ``rule``: a denoiser that every sampler serves.

    Images (b, \*in_shape) are those of the b measurements of ``problem``. ``last`` has what was
    found last, of all images.
    """

    rule: Rule
    problem: InverseProblem
    prior: Prior
    last: dict[str, Any] = field(default_factory=dict, compare=False)
    places: Tensor | None = None

    def __call__(self, x: Tensor, sigma: PerImage) -> Tensor:
        found = self.rule(self.problem, self.prior, x, sigma)
        if self.places is None:
            self.last["mean"] = found.mean
        else:
            self.last["mean"] = self.last["mean"].index_copy(0, self.places, found.mean)
        self.last["info"] = found.info
        return found.mean

    def select(self, images: Tensor) -> ConditionedDenoiser:
        """The denoiser of the images with the indices ``images``, (k,)."""
        if len(images) == len(self.problem.y):
            return self
        images = images.to(self.problem.y.device)
        return replace(self, problem=self.problem.select(images), places=images)


def conditioned(
    problem: InverseProblem, prior: Prior, *, method: str, **options: Any
) -> ConditionedDenoiser:
    r"""The denoiser of ``p(x0 | x, y)`` that ``method`` samples with, for samplers to use.

    ``options``: those of the method that the denoiser has, such as ``prior_variance``. It takes
    images (b, \*in_shape), one for each measurement, and a noise level.

    Raises ``ValueError`` for a method that is more than a denoiser, for a problem that it does not
    serve, and for options that its denoiser does not have.
    """
    info = get_method(method)
    if info.denoiser is None:
        raise ValueError(f"`method` must be one that conditions a denoiser, got {method!r}")
    info.options(options)
    try:
        return info.denoiser(problem, prior, **options)
    except TypeError as error:
        raise ValueError(f"the denoiser of {method!r}: {error}") from None


def sample_posterior(
    denoiser: ConditionedDenoiser,
    rng: SampleRNG,
    *,
    sampler: str,
    steps: int,
    eta: float | None,
    sigma_max: float | None,
    initial: Initial,
) -> Iterator[Step]:
    """Samples with ``denoiser`` by the ``sampler`` of that name, on noise levels of its kind.

    ``eta``: share of fresh noise of DDIM (default: 1), which other samplers do not have.
    ``sigma_max``: the first level, by default 4 standard deviations of a pixel, or 20 from
    ``"noise"``. At far larger ones than 4, errors of a network's Jacobian are multiplied by
    sigma^2 and the iteration can diverge.

    Raises ``ValueError`` for an ``eta`` of a sampler without one.
    """
    problem, prior = denoiser.problem, denoiser.prior
    info = get_sampler(sampler)
    own = {"eta": 1.0 if eta is None else eta} if "eta" in info.defaults else {}
    if eta is not None and not own:
        raise ValueError(f"`eta` must be none with the sampler {sampler!r}, got {eta}")
    first = levels.wide if initial == "guess" else levels.widest
    high = first(prior) if sigma_max is None else sigma_max
    sigmas = info.spacing(steps, prior, high)
    x = initial_guess(problem, prior, sigmas[0], rng, initial)
    for lower, state in zip(sigmas[1:], info.run(denoiser, x, sigmas, rng, **own), strict=True):
        yield Step(state, denoiser.last["mean"], lower, denoiser.last["info"])


def matched_gradient(
    problem: InverseProblem,
    denoised: Tensor,
    covariance: Callable[[Tensor], Tensor],
    *,
    iterations: int = 200,
) -> tuple[Tensor, int]:
    """The gradient of ``log N(y; A(D), S + A C A^H)`` in ``D``, C held fixed.

    ``A^H (S + A C A^H)^-1 (y - A(D))`` by conjugate gradients, where ``covariance`` applies C, the
    positive semi-definite covariance of the clean image about ``D = denoised``, S is the variance
    of the measurement at A(D) and A stands for its own Jacobian at D where it is not linear. At
    C = 0 it is ``problem.score(denoised)``. With it comes the number of iterations that were made.
    """
    clean = problem.operator(denoised)
    variance = problem.noise.variance(clean)
    tangent = jacobian(problem.operator, denoised)
    made = 0

    def apply(u: Tensor) -> Tensor:
        nonlocal made
        made += 1
        return variance * u + tangent.matvec(covariance(tangent.rmatvec(u)))

    explained = conjugate_gradient(
        apply, problem.working_residual(clean), iterations=iterations, ask=iterations > FEW
    )
    return tangent.rmatvec(explained), made
