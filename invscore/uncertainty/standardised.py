"""Residuals of samples in units of the noise, which several checks look at."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from torch import Tensor

from invscore.likelihood import InverseProblem

SMALL = 2**20
"""Numbers of all residuals up to which they are held for the next check."""


def residuals(problem: InverseProblem, samples: Tensor) -> Iterable[Tensor]:
    """``y - A(x)`` of each of ``samples``, (n, b, \\*in_shape), in units of the noise.

    Each (b, \\*out_shape); large ones are found anew whenever they are asked for.
    """
    found = _Residuals(problem, samples)
    return list(found) if len(samples) * problem.y.numel() <= SMALL else found


class _Residuals:
    def __init__(self, problem: InverseProblem, samples: Tensor) -> None:
        self._problem, self._samples = problem, samples

    def __iter__(self) -> Iterator[Tensor]:
        problem = self._problem
        for x in self._samples:
            yield problem.noise.standardised(problem.y, problem.operator(x))
