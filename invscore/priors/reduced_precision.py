"""Priors whose network computes in another precision."""

from __future__ import annotations

import copy

from invscore.hardware.precision import FixedPrecision, fixed_precision
from invscore.priors.base import Prior
from invscore.priors.denoiser import DenoiserPrior
from invscore.priors.network import NetworkPrior


def evaluated_in(prior: Prior, precision: FixedPrecision) -> Prior:
    """``prior`` with its network evaluated in ``precision``: the one given is not changed.

    ``bf16``: by autocast, which computes convolutions, products of matrices and attention in
    bfloat16 and keeps weights as they are; what surrounds the network is in the precision of the
    images. ``fp32``: ``prior`` itself. Raises ``ValueError`` for another precision, for bf16 of a
    prior that has no network, and of one with a density, whose differences bfloat16 does not tell.
    """
    if fixed_precision(precision) == "fp32":
        return prior
    why = "no network that invscore knows of"
    if isinstance(prior, NetworkPrior | DenoiserPrior):
        if not prior.has_density:
            found = copy.copy(prior)
            found.precision = precision
            return found
        why = "a density"
    inner = getattr(prior, "prior", None)
    if isinstance(inner, Prior):
        around = copy.copy(prior)
        around.prior = evaluated_in(inner, precision)  # type: ignore[attr-defined]
        return around
    name = type(prior).__name__
    raise ValueError(f"`precision` must be fp32 for a prior of type {name}, which has {why}")
