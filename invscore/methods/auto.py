"""The method that the measurement calls for."""

from __future__ import annotations

from collections.abc import Iterator

from invscore.likelihood import InverseProblem
from invscore.methods.base import Step, register
from invscore.methods.daps import daps
from invscore.methods.matched_spectrum.method import matched_spectrum
from invscore.methods.particles.local_gaussian import measured_numbers
from invscore.methods.particles.matched_smc import matched_smc
from invscore.operators import LinearOperator
from invscore.priors.base import Prior
from invscore.ranges import Count
from invscore.rng import SampleRNG

FEW = 64
"""Measured numbers to which a product with the Jacobian each is worth its price."""


def measures_few(problem: InverseProblem) -> bool:
    """Whether `matched_smc` is what the problem calls for."""
    return len(measured_numbers(problem)) <= FEW


@register(
    "auto",
    exact=False,
    law="that of `matched_smc`, of `matched_spectrum` or of `daps`",
    evaluations=f"particles if measurements <= {FEW} else 1",
    products=f"particles * (measurements + 2) if measurements <= {FEW} else 0",
    cites="here",
    particles=lambda problem: "particles" if measures_few(problem) else None,
    white=True,
)
def auto(
    problem: InverseProblem,
    prior: Prior,
    rng: SampleRNG,
    *,
    steps: Count = 20,
    particles: Count = 100,
) -> Iterator[Step]:
    """`matched_smc` for at most 64 measured numbers; for more, `matched_spectrum`, or `daps`.

    Few numbers leave several explanations open, and weighted particles find how likely each of them
    is. Many, such as an image's, need a product with the Jacobian each, and their likelihood is too
    sharp for weights: `matched_spectrum` does without either where the operator is linear, and
    `daps`, with one evaluation a level, takes operators that are not.

    ``steps``: evaluations of a particle, or of a sample by the others. ``particles``: in a
    set of `matched_smc`; ask for as many samples, or a multiple, so that none is drawn in
    vain.
    """
    if measures_few(problem):
        return matched_smc(problem, prior, rng, steps=steps, particles=particles)
    if isinstance(problem.operator, LinearOperator):
        return matched_spectrum(problem, prior, rng, steps=steps)
    return daps(problem, prior, rng, steps=steps, ode_steps=1)
