"""Whether the residuals ``y - A(x)`` of samples are those of the declared noise.

Let chi^2(x) be the sum of squares of the residual in units of the noise over the m real numbers
that are measured. Where y comes from an x of the prior, and x' is drawn from p(x | y), the pair
(x', y) has the law of (x, y): both are p(y) p(x | y). At the true x, the residual is the noise. So

    E chi^2(x') = m,    Var chi^2(x') = 2 m for Gaussian noise,

and for Gaussian noise chi^2(x') follows the chi-square law with m degrees of freedom, for any
prior, any operator, linear or not, and any noise level. No degrees of freedom are lost to fitting:
what a sample gains by following the noise in y it loses by its own spread. For Poisson noise the
variance is ``sum (2 + 1 / rate)``. The mean of chi^2 over several samples of one posterior has the
mean m and at most the variance of one.

The posterior mean follows the noise without spread of its own: for linear A and Gaussian noise
``chi^2(mean) = mean of chi^2(x') - sum of Var(A x' | y) / sigma^2``, less than m on average by the
effective number of parameters. A point estimate, too, may have less than m.

A residual that is too large says that x' does not explain y: more noise than declared, another
operator, or a method that has not arrived. One that is too small says that less noise is in y than
declared, or that the samples have fitted the noise. The check is blind where y determines x at the
declared noise level: there samples lie about y at that distance whatever the noise was.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from invscore.likelihood import InverseProblem
from invscore.noise import RaisedNoise

TOLERANCE = 2.0
"""Largest ratio of chi^2 to its number of degrees of freedom, or its inverse, without a warning:
samplers are approximate."""

CHANCE = 1e-3
"""Probability of so large or so small a residual of an exact sample, below which there is a
warning."""


@dataclass(frozen=True)
class Residual:
    """The residuals of samples for each measurement of a problem.

    ``ratio``: (b,), the rms over samples and measured numbers in units of the noise, 1 expected.
    ``too_large``, ``too_small``: (b,), where it is beyond ``TOLERANCE`` and ``CHANCE``.
    ``unit``: what the noise is, in words.

    After the example of ``invscore.uncertainty``:

    >>> from invscore.uncertainty import check_residual
    >>> residual = check_residual(problem, samples)
    >>> 0.7 < float(residual.ratio) < 1.3, bool(residual.too_large)
    (True, False)
    """

    ratio: Tensor
    too_large: Tensor
    too_small: Tensor
    unit: str = "the declared noise"

    def warnings(self) -> tuple[str, ...]:
        """At most one sentence on residuals that are too large, and one on those too small."""
        sentences = []
        if self.too_large.any():
            why = "the noise is more than declared, the operator is another, or steps are too few"
            sentences.append(self._sentence(self.too_large, why))
        if self.too_small.any():
            why = "the result has fitted the noise, or there is less of it than declared"
            sentences.append(self._sentence(self.too_small, why))
        return tuple(sentences)

    def _sentence(self, found: Tensor, why: str) -> str:
        ratios = [f"{ratio:.2f}" for ratio in self.ratio[found].aminmax()]
        several = len(found) > 1
        whose = f" of {int(found.sum())} of {len(found)} measurements" if several else ""
        amount = ratios[0] if ratios[0] == ratios[1] else " to ".join(ratios)
        return (
            f"the residual y - A x{whose} is {amount} times {self.unit}, where 1 is expected: {why}"
        )


@torch.no_grad()
def check_residual(
    problem: InverseProblem, samples: Tensor, *, point_estimate: bool = False
) -> Residual:
    """Compare ``samples``, (n, b, \\*in_shape), with the noise that ``problem`` declares.

    A ``point_estimate`` is never too small.

    After the example of ``invscore.uncertainty``:

    >>> from invscore.uncertainty import check_residual
    >>> quiet = InverseProblem(problem.operator, problem.y, GaussianNoise(0.01))
    >>> bool(check_residual(quiet, samples).too_large)
    True
    """
    squares = torch.stack([torch.stack(problem.squares(x)).cpu().double() for x in samples])
    energy, variance = squares.mean(dim=0)
    # The gamma law of this mean and variance: chi-square over m where the noise is Gaussian.
    shape = 1 / variance
    below = torch.special.gammainc(shape, shape * energy)
    above = torch.special.gammaincc(shape, shape * energy)
    too_large = (energy > TOLERANCE) & (above < CHANCE / 2)
    too_small = (energy < 1 / TOLERANCE) & (below < CHANCE / 2)
    if point_estimate:
        too_small = torch.zeros_like(too_small)
    return Residual(energy.sqrt(), too_large, too_small, unit_of(problem))


def unit_of(problem: InverseProblem) -> str:
    """The unit of residuals, in words: rounding errors where less noise than these is declared."""
    return "rounding errors" if isinstance(problem.noise, RaisedNoise) else "the declared noise"
