"""The method that the measurement calls for."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import torch

from invscore import levels
from invscore.likelihood import GaussianNoise, InverseProblem
from invscore.methods.base import MethodInfo, Step, get_method, register
from invscore.methods.exact_score import serves
from invscore.methods.gaussian_field.frequency_bands import FrequencyBands
from invscore.methods.gaussian_field.operator_power import is_low_pass
from invscore.methods.particles.looking_together import agree
from invscore.methods.particles.matched_smc import MOST, MOST_OWN
from invscore.operators import Inpainting, LinearOperator, Operator, SuperResolution
from invscore.options.ranges import Count
from invscore.priors.base import Prior
from invscore.rng import SampleRNG

NARROW = 1.5
"""Least ``sigma_max``, in standard deviations of a pixel, of a prior that can be sampled from:
samplers start at twice as much, which hides the image."""

BLIND = 30.0
"""First level, in standard deviations of a pixel, at which no initial guess chooses between the
modes of an image."""

DETAIL = (1.0, 0.08)
"""First and last level, in standard deviations of a pixel, where a low-pass leaves fine detail open
alone."""

PRODUCTS, MOST_PRODUCTS = 2, 12
"""Products with the Jacobian that a particle takes, and most of them, so that a set sees all of it:
behind a blur of a correlated field of 24 x 24 pixels two a particle leave 16 of 100 particles, six
leave all."""

STEPS, STEPS_FOR_DETAIL = 20, 10
"""Evaluations of a sample: in general, and where fine detail alone is left open."""

HURRIED, NEARER = 2, 0.5
"""Evaluations of a sample up to which pictures with missing pixels, and shrunken ones, begin at a
level of ``NEARER`` standard deviations of a pixel: where few levels come after it, the first must
not hide what the guess knows."""

FEW = 64
"""Most numbers, measured or unknown, for which a product with the Jacobian each is worth its
cost."""

ONE_OBJECT = 1024
"""Pixels up to which an image shows one object, whose shape a low-pass leaves open too."""

LARGE_HOLE = 0.4
"""Least side of a square without measured pixels, in shorter sides of the image, whose content no
guess knows."""

LEAST = 49
"""Fewest numbers behind a low-pass that leave fine detail open alone: a digit of 28 x 28 is told by
7 x 7 means of pixels, and not by 4 x 4."""

SAMPLED = (Inpainting, SuperResolution)
"""Operators that keep fewer pixels."""


def is_narrow(prior: Prior) -> bool:
    """Whether ``prior`` is a denoiser of some levels and no model of images."""
    return prior.sigma_max < NARROW * prior.variance**0.5


def narrow_warnings(prior: Prior, info: MethodInfo) -> tuple[str, ...]:
    """Warnings where ``auto`` has to do with such a prior."""
    if not is_narrow(prior):
        return ()
    known = f"the prior knows noise up to {prior.sigma_max:.3g} alone"
    if info.name == "hqs":
        return (f"{known}, too little to sample with: auto took hqs, a point estimate",)
    return (f"{known}: auto started there, and samples may differ less than they should",)


def measures_few(problem: InverseProblem) -> bool:
    """Whether few numbers are measured, or unknown, so that any prior is served by particles."""
    return problem.count <= MOST_OWN and min(problem.count, _unknown(problem)) <= FEW


def measures_many(problem: InverseProblem, prior: Prior) -> bool:
    """Whether particles serve the many numbers of a modest image: where they agree on the Jacobian
    of the prior (``agree``), and it has derivatives."""
    if not agree(prior) or not isinstance(problem.operator, LinearOperator):
        return False
    if not isinstance(problem.noise, GaussianNoise):
        return False
    if max(problem.count, _unknown(problem)) > MOST:
        return False
    return is_differentiable(prior, problem)


def _unknown(problem: InverseProblem) -> int:
    """The real numbers of an image."""
    operator = problem.operator
    return (2 if operator.in_complex else 1) * math.prod(operator.in_shape)


def is_differentiable(prior: Prior, problem: InverseProblem) -> bool:
    """Whether products with the Jacobian of ``prior`` can be had, by one evaluation."""
    operator, y = problem.operator, problem.y
    image = torch.zeros(1, *operator.in_shape, dtype=problem.image_dtype, device=y.device)
    try:
        denoised, pull = prior.pullback(image, prior.unit)
        pull(denoised)
    except RuntimeError:  # a denoiser that leaves torch
        return False
    return True


def leaves_detail(problem: InverseProblem, operator: LinearOperator) -> bool:
    """Whether the measurement leaves nothing open but fine detail."""
    if len(operator.in_shape) < 2:
        return False
    like = torch.zeros((), dtype=problem.image_dtype, device=problem.y.device)
    return is_low_pass(operator, FrequencyBands.of(like.expand(1, *operator.in_shape)))


def shows_one_object(operator: Operator) -> bool:
    """Whether images, (\\*channels, h, w), are so small that they show one object."""
    shape = operator.in_shape
    return len(shape) < 4 and math.prod(shape[-2:]) <= ONE_OBJECT


def has_large_hole(operator: Operator) -> bool:
    """Whether a square of ``LARGE_HOLE`` of the image's side has no pixel that was measured."""
    if not isinstance(operator, Inpainting):
        return False
    return operator.has_hole(math.ceil(LARGE_HOLE * min(operator.in_shape[-2:])))


@register(
    "auto",
    exact=False,
    law="that of `exact_score`, `matched_smc`, `matched_spectrum` or `matched_pixels`",
    evaluations=f"particles if numbers <= {FEW} else 1",
    products=f"particles * ({MOST_PRODUCTS} + own * (numbers - {MOST_PRODUCTS - PRODUCTS})) "
    f"if numbers <= {FEW} else 2 * nonlinear",
    cites="here",
    particles=lambda problem: "particles" if measures_few(problem) else None,
    white=True,
)
def auto(
    problem: InverseProblem,
    prior: Prior,
    rng: SampleRNG,
    *,
    steps: Count | None = None,
    particles: Count = 100,
) -> Iterator[Step]:
    """The method that suits operator, prior and measurement.

    `exact_score`, `matched_smc`, `matched_spectrum` or `matched_pixels`. Where the prior denoises
    the noise that the measurement leaves (`Prior.denoise_with`), `exact_score` draws from the
    posterior itself, whatever its modes. Elsewhere it depends. Few numbers leave several
    explanations open, and weighted particles find how likely each of them is (`matched_smc`): at
    most 64 that are measured, or 256 of at most 64 unknowns. They serve the many numbers of an
    image of up to 1024 too, behind linear operators with Gaussian noise, where the prior has
    derivatives and is known at any level, as no network is, or is a function of one's own
    (`DenoiserPrior`) of levels up to 8 standard deviations of a pixel or more: a particle costs an
    evaluation and two products with the Jacobian, or as many, up to 12, as let its set see all of
    it, and particles no more than samples where as many are asked for.
    Otherwise `matched_spectrum` serves many numbers, and as few as 49 of a low-pass, without
    particles or products, or `matched_pixels`, where the operator is not linear and the prior as
    said. Of larger images a prior known at any level makes `matched_spectrum` start where no guess
    picks the mode.

    A prior whose levels end below 1.5 standard deviations of a pixel, a denoiser and no model of
    images, serves no particles and no operator that is not linear: `hqs` takes their place, a point
    estimate. `matched_spectrum` starts at the highest level that there is (with FFDNet, and levels
    up to 0.3, 3 dB better at a blur than `hqs` with its default `lam`).

    A low-pass, such as a blur or a smaller image, leaves fine detail open alone. `matched_spectrum`
    then begins at a level of 1 standard deviation of a pixel and ends at 0.08 of it, and ten
    evaluations are as good as twenty: on crops of four validation photographs blurs gain and lose
    less than 0.06 dB, super-resolution gains. Of masks, motion blur and MRI they are not. Images of
    up to 1024 pixels show one object, whose shape a low-pass leaves open too: there it begins at 4
    standard deviations and makes twenty evaluations, in which y moves most what is most uncertain.
    Draws of fine detail spread by no less than the denoiser errs on them, but of volumes, and all
    draws of real images behind networks where D passes noise. Behind a hole of 0.4 of the side of
    such a small image, too, it begins at 4 standard deviations: of half a crop of a photograph, 32
    x 32, hidden, that gains 0.5 to 0.6 dB, and of digits the samples follow the posterior in ten of
    eleven cases, not in five.

    Of one or two evaluations the first is at half a standard deviation of a pixel where pixels are
    missing or were made fewer: on eight photographs, the mean of two samples, that gains 0.1 to
    0.2 dB (super-resolution by 4), 0.8 to 1 (by 2), 0.4 (70 % missing) and 0.4 to 0.5 (a box);
    where 90 % are missing it loses up to 0.1. Blurs would lose by it.

    ``steps``: evaluations of a particle, or of a sample by the others (default: 20, and 10 of a
    sample where a network restores what a low-pass has left of more than 1024 pixels).
    ``particles``: in a set of `matched_smc`; ask for as many samples, or a multiple, so that none
    is drawn in vain.

    After the example of ``invscore.methods``:

    >>> result = reconstruct(problem, prior, method="auto", samples=20, particles=20)
    >>> bool((result.mean - exact.mean).abs().mean() < 0.1)
    True
    """
    info, own = resolve(problem, prior, {"steps": steps, "particles": particles})
    return info.run(problem, prior, rng, **own)


def resolve(
    problem: InverseProblem, prior: Prior, options: Mapping[str, Any]
) -> tuple[MethodInfo, dict[str, Any]]:
    """The method that ``auto`` with ``options`` runs on ``problem``, and that method's options."""
    own: dict[str, Any] = {}
    everywhere = math.isinf(prior.sigma_max)
    given = options["steps"]
    steps = STEPS if given is None else given
    if serves(problem, prior) is not None:
        info = get_method("exact_score")
        return info, info.options({"steps": steps})
    operator = problem.operator
    linear = isinstance(operator, LinearOperator)
    few, detail = measures_few(problem), False
    if not everywhere and isinstance(operator, LinearOperator):
        detail = not (few and problem.count < LEAST) and leaves_detail(problem, operator)
    few = few and not detail
    if is_narrow(prior) and (few or not linear):
        info = get_method("hqs")
        return info, info.options({"steps": steps})
    if few or measures_many(problem, prior):
        info, own = get_method("matched_smc"), {"particles": options["particles"]}
        if linear and agree(prior):
            each = math.ceil(_unknown(problem) / own["particles"])
            own["directions"] = min(max(PRODUCTS, each), MOST_PRODUCTS)
    elif everywhere and not linear and is_differentiable(prior, problem):
        info = get_method("matched_pixels")
    else:
        info = get_method("matched_spectrum")
        if everywhere:
            own = {"sigma_max": levels.of_pixel(prior, BLIND)}
        elif detail:
            high, low = (levels.of_pixel(prior, level) for level in DETAIL)
            draws = "seen" if len(operator.in_shape) < 4 else "local"
            if shows_one_object(operator) and steps > STEPS_FOR_DETAIL:
                high, draws = levels.wide(prior), "uneven"
            elif given is None:
                steps = STEPS_FOR_DETAIL
            own = {"sigma_max": high, "sigma_min": low, "spread": draws}
        else:
            own = {"spread": "local"}
            if steps > STEPS_FOR_DETAIL and shows_one_object(operator) and has_large_hole(operator):
                own["sigma_max"] = levels.wide(prior)
        if steps <= HURRIED and not everywhere and isinstance(operator, SAMPLED):
            own["sigma_max"] = levels.of_pixel(prior, NEARER)
    return info, info.options({"steps": steps, **own})
