"""Warnings on a problem, and on what does not fit between it and its samples."""

from __future__ import annotations

from torch import Tensor

from invscore.batches import per_image
from invscore.estimation.noise_level import noise_seen
from invscore.likelihood import GaussianNoise, InverseProblem
from invscore.methods import MethodInfo
from invscore.methods.auto import narrow_warnings
from invscore.operators import LinearOperator
from invscore.operators.probe import operator_warnings
from invscore.priors.base import Prior
from invscore.running.units import in_prior_units, one_number
from invscore.uncertainty import (
    Residual,
    branch_warnings,
    clipping_warnings,
    kernel_warnings,
    magnitude_warnings,
    misfit_warnings,
    mode_warnings,
    noise_warnings,
)
from invscore.uncertainty.excerpt import excerpt


def own_warnings(
    problem: InverseProblem, prior: Prior, asked: str, info: MethodInfo
) -> tuple[str, ...]:
    """Warnings on a mask, on a user's own operator, and on a choice that ``auto`` had to make."""
    odd = problem.doubts + operator_warnings(problem.operator, problem.y)
    return odd + narrow_warnings(prior, info) if asked == "auto" else odd


def misfits(
    problem: InverseProblem,
    prior: Prior,
    samples: Tensor,
    residual: Residual,
    factors: list[float],
    *,
    white: bool,
) -> tuple[str, ...]:
    """Sentences on what does not fit between measurement, declared model and ``samples``.

    ``factors``: by which the measurement of each image was divided for ``prior``.
    """
    found = magnitude_warnings(problem, prior, samples, one_number(factors))
    found = found or misfit_warnings(problem, samples, residual, white=white)
    if not isinstance(problem.noise, GaussianNoise):  # levels and kernels are told of it alone
        return found
    if white and not found:
        looked_at, first = excerpt(problem, samples[:1])
        factor = per_image(one_number(factors), first[0], "scale")
        seen = noise_seen(in_prior_units(looked_at, factors), prior, first / factor)
        found = noise_warnings(problem, seen)
    scaled = in_prior_units(problem, factors)
    return (*found, *kernel_warnings(scaled, prior, turned=bool(found)))


def doubts(
    problem: InverseProblem,
    prior: Prior,
    info: MethodInfo,
    samples: Tensor,
    probes: Tensor | None = None,
) -> tuple[str, ...]:
    """Whether the ``samples`` of a method that has no exact limit tell the weights of modes, and
    those of one that linearises the operator how they spread where it is flat, and how likely each
    of its branches is."""
    if info.exact or info.point_estimate:
        return ()
    found = mode_warnings(samples, probes, problem.operator.window)
    if info.name != "matched_pixels" or isinstance(problem.operator, LinearOperator):
        return found
    turned = branch_warnings(problem, prior, samples)
    return (*found, *turned, *clipping_warnings(problem, samples))
