"""Decomposed diffusion sampling."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from torch import Tensor

from invscore import levels
from invscore.likelihood import InverseProblem
from invscore.methods.base import Step, register
from invscore.methods.common.initial_guess import Initial, initial_guess
from invscore.methods.common.renoise import renoise
from invscore.methods.common.tempering import informed_share
from invscore.operators.cg import conjugate_gradient
from invscore.options.ranges import Count, Share, Weight
from invscore.priors.base import Prior
from invscore.rng import SampleRNG


@register(
    "dds",
    exact=False,
    law="biased: ignores the noise level",
    needs=("linear", "gaussian"),
    cites="Chung et al. 2024, Sec. 3",
)
def dds(
    problem: InverseProblem,
    prior: Prior,
    rng: SampleRNG,
    *,
    steps: Count = 50,
    gamma: Weight = 1.0,
    cg_steps: Count = 5,
    eta: Share = 0.85,
    initial: Initial = "guess",
) -> Iterator[Step]:
    """Decomposed diffusion sampling (DDS).

    Denoises, goes a few conjugate gradient steps to the data, adds noise again. The denoised image
    is moved towards the minimiser of ``gamma |y - A z|^2 / 2 + |z - D|^2 / 2`` by ``cg_steps``
    steps of conjugate gradients from D, which keeps to the Krylov space of the mismatch, the
    tangent of the data manifold in the paper's picture. No Jacobian, no singular values. Biased.

    ``steps``: denoiser evaluations on DDPM's schedule. ``gamma``: weight of the data, which fades
    where the noise exceeds what is measured of images (``informed_share``). ``eta``:
    deviation of the fresh noise over that of all.
    ``initial``: a first ``"guess"``, or ``"noise"`` as in the paper (``initial_guess``).

    After the example of ``invscore.methods``:

    >>> result = reconstruct(problem, prior, method="dds", samples=4, cg_steps=3)
    >>> bool((result.mean - exact.mean).abs().mean() < 0.2)
    True
    """
    operator, y, _ = problem.linear_gaussian("dds")
    back_projected = operator.rmatvec(y)
    weight = gamma * informed_share(problem, prior, back_projected)

    def proximal(z: Tensor) -> Tensor:
        return z + weight * operator.normal(z)

    sigmas = levels.ddpm(steps, prior, levels.widest(prior))
    x = initial_guess(problem, prior, sigmas[0], rng, initial)
    for sigma, lower in pairwise(sigmas):
        denoised = prior.denoise(x, sigma)
        target = denoised + weight * back_projected
        fitted = conjugate_gradient(
            proximal, target, start=denoised, iterations=cg_steps, ask=False
        )
        x = renoise(fitted, (x - denoised) / sigma, lower, eta, rng)
        yield Step(x, fitted, lower)
