"""Noisy images whose measured coefficients follow noise that all particles share."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from invscore.likelihood import InverseProblem
from invscore.methods.matched_spectrum.shared_noise import MARGIN, Basis
from invscore.operators import LinearOperator
from invscore.operators.svd import SVD

TINY = 1e-30
LARGEST = 1e15
"""Level that stands for an infinite one where two are compared."""


class Told(NamedTuple):
    """Coefficients of x0, (g k, \\*coefficients), told with a ``precision``, 0 where nothing is."""

    u: Tensor
    precision: Tensor


@dataclass
class Pinned:
    """States x = x0 + sigma n whose measured coefficients are y with noise on top.

    A coefficient that is measured as u, with a deviation s/a of its noise, is itself a state: that
    of the level s/a. From there upwards its noisy path is known, as noise is added to u alone, and
    whatever that path is, x0 given it is x0 given u (Trippe et al. 2023). All particles of a set
    have the same, ``path``, (g, \\*coefficients), at the present level; it ends at s/a, and the
    coefficient is then as free as those that are not measured.

    ``u``, ``variance`` (g, \\*coefficients): infinite where nothing is measured.
    """

    u: Tensor
    variance: Tensor
    path: Tensor
    basis: Basis
    like: Tensor
    particles: int

    @classmethod
    def of(cls, problem: InverseProblem, particles: int) -> Pinned:
        """For sets of so many ``particles``, one a measurement of ``problem``."""
        operator, svd, y = _decomposed(problem)
        _, _, noise = problem.linear_gaussian("pinned_smc")
        seen, coefficients = svd.seen, svd.uh(y)
        singular = torch.where(seen, svd.s, 1.0)
        u = torch.where(seen, coefficients / singular, 0)
        noise = noise.to(svd.s.dtype).reshape(-1, *[1] * (u.ndim - 1))
        variance = torch.where(seen, noise / singular**2, math.inf).expand(u.shape)
        dtype = y.real.dtype.to_complex() if operator.in_complex else y.real.dtype
        like = torch.zeros(1, *operator.in_shape, dtype=dtype, device=y.device)
        return cls(u, variance, u, Basis(svd.v, svd.vh), like, particles)

    def follow(self, sigma: float, lower: float, noise: Tensor) -> None:
        """Go down the path from the level ``sigma`` to ``lower``, or as far as it leads.

        ``noise``: standard normal images, one a set.
        """
        back = (self._left(lower) / self._left(sigma).clamp_min(TINY)).clamp_max(1)
        if sigma == math.inf:
            back = torch.zeros_like(back)
        fresh = (self._left(lower) * (1 - back)).sqrt() * self.basis.vh(noise)
        self.path = self.u + back * (self.path - self.u) + fresh

    def told(self, x: Tensor, sigma: float, lower: float) -> Told:
        """What the path has told of x0 on the way to ``lower`` from images ``x`` at ``sigma``.

        Given x0, a state that is ``c`` at sigma is ``c + share (x0 - c)`` and noise on its way.
        """
        level = self.variance.clamp_min(lower**2)
        share = (1 - level / sigma**2).clamp_min(0) if sigma < math.inf else torch.ones_like(level)
        asked = (share > MARGIN) & level.isfinite()
        precision = torch.where(asked, share / torch.where(asked, level, 1.0), 0)
        c = self.basis.vh(x)
        told = c + (self._each(self.path) - c) / self._each(torch.where(asked, share, 1.0))
        told = torch.where(self._each(asked), told, 0)
        return Told(told, self._each(precision))

    def evidence(self, told: Told, mean: Tensor, c: Tensor) -> Tensor:
        """``log p(told)`` where x0 is of N(``mean``, c), up to what particles share: (g k,).

        ``c`` (g k, 1, ...), the same for all particles of a set.
        """
        away = (told.u - self.basis.vh(mean)).abs().square()
        return -0.5 * (away * told.precision / (1 + told.precision * c)).flatten(1).sum(dim=1)

    def draw(self, told: Told, mean: Tensor, c: Tensor, white: Tensor, noise: Tensor) -> Tensor:
        """``x0`` of N(``mean``, c) given what is told, from standard normal images.

        A draw moved by what the truth says of it (Papandreou & Yuille 2010).
        """
        drawn = mean + c.sqrt() * white
        asked = told.precision > 0
        deviation = torch.where(asked, told.precision, 1.0).rsqrt()
        residual = told.u - self.basis.vh(drawn) - deviation * self.basis.vh(noise)
        share = told.precision * c / (1 + told.precision * c)
        return drawn + self.basis.v(torch.where(asked, share * residual, 0))

    def states(
        self, free: Tensor, clean: Tensor, fresh: Tensor, sigma: float, lower: float
    ) -> Tensor:
        """The states at ``lower``: where nothing is measured, those that are ``free``.

        ``clean``: draws of x0 given x and what is told, and ``fresh`` the noise by which the free
        states were moved, all images (g k, \\*shape).
        """
        on, known = self.variance < lower**2, self.variance < sigma**2
        # Where the path has ended: from u at its own level on, given x0.
        left = torch.where(known & ~on, 1 - lower**2 / self.variance.clamp_min(TINY), 0.0)
        left = self._each(left.clamp_min(0))
        moved = left * (self.basis.vh(clean) - self._each(self.path))
        moved = moved + lower * left.sqrt() * self.basis.vh(fresh)
        change = self._each(self.path) + moved - self.basis.vh(free)
        return free + self.basis.v(torch.where(self._each(known), change, 0))

    def _left(self, sigma: float) -> Tensor:
        """Variance of the noise that the path has on top of u at ``sigma``; 0 where it has ended
        and where there is none."""
        level = min(sigma, LARGEST) ** 2
        return torch.where(self.variance < level, level - self.variance, 0.0)

    def _each(self, values: Tensor) -> Tensor:
        """Of sets, (g, ...), those of every particle, (g k, ...)."""
        return values.repeat_interleave(self.particles, dim=0)


def _decomposed(problem: InverseProblem) -> tuple[LinearOperator, SVD, Tensor]:
    """The operator, its singular vectors and y, in double precision where that can be had.

    Where y is precise, evidence is a small difference of large numbers.
    """
    operator, y, _ = problem.linear_gaussian("pinned_smc")
    try:
        double = operator.to(dtype=torch.float64)
        wide = y.to(torch.complex128 if y.is_complex() else torch.float64)
        return double, double.svd(wide.dtype), wide
    except (RuntimeError, TypeError) as why:  # tensors out of reach, or a device without doubles
        if isinstance(why, NotImplementedError):  # which is a RuntimeError
            raise ValueError(
                f"pinned_smc needs an operator with an SVD, {type(operator).__name__} has none"
            ) from None
        return operator, operator.svd(y.dtype), y
