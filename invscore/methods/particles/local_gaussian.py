"""Gaussian approximation of p(x0 | x) to second order, and of p(x0 | x, y)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from invscore.batches import real_numbers
from invscore.hardware.doubles import widest
from invscore.likelihood import InverseProblem
from invscore.methods.particles.linearised import linearised
from invscore.methods.particles.low_rank import LowRank, Spectrum
from invscore.operators import LinearOperator, jacobian
from invscore.priors.base import Prior


@dataclass(frozen=True)
class LocalGaussian:
    """``x0 ~ N(mean, c(J))`` and ``y = rows x0 + noise`` of each particle, all of real numbers.

    ``mean`` (g p, n), ``y`` and the ``variance`` of its noise (g p, m); ``jacobian`` of g matrices
    and ``rows`` (g, m, n) or (1, m, n): p particles, side by side, share one of them. ``alike``:
    whether they share the variance too. ``gram``: ``rows rows^T``, where it is known. The methods
    name the function c, on which Gaussian steps from here depend.
    """

    mean: Tensor
    jacobian: LowRank
    rows: Tensor
    y: Tensor
    variance: Tensor
    alike: bool = False
    gram: Tensor | None = None

    def evidence(self, c: Spectrum, mean: Tensor) -> Tensor:
        """``log N(y; rows mean, variance + rows c(J) rows^T)`` up to a constant, (g p,)."""
        factor = self._factor(c)
        white = torch.linalg.solve_triangular(
            factor, self._columns(self._residual(mean)), upper=False
        )
        volume = factor.diagonal(dim1=1, dim2=2).log().sum(dim=1, keepdim=True)
        return (-0.5 * white.square().sum(dim=1) - volume).flatten()

    def draw(self, c: Spectrum, white: Tensor, noise: Tensor) -> Tensor:
        """``x0`` given y, from standard normal numbers (g p, n) and (g p, m).

        A draw of x0 and y, moved by what the true y says of it (Papandreou & Yuille 2010).
        """
        x0 = self.mean + self.jacobian.apply(lambda j: c(j).sqrt(), white)
        residual = self._residual(x0) - self.variance.sqrt() * noise
        explained = torch.cholesky_solve(self._columns(residual), self._factor(c)).mT
        explained = explained.reshape(len(self.jacobian.lowest), -1, self.y.shape[1])
        return x0 + self.jacobian.apply(c, (explained @ self.rows).reshape(x0.shape))

    def ahead(self, c: Spectrum, share: float, lower: float, away: Tensor) -> Tensor:
        """The evidence that is expected a Gaussian step from here, (g p,).

        ``away`` (g p, n) is by how much the step has missed its mean: x' = share x0 + noise, of
        variance ``lower^2 share``, but for what is known.
        """
        fresh = lower**2 * share

        def gain(j: Tensor) -> Tensor:
            return share * c(j) / (share**2 * c(j) + fresh)

        def left(j: Tensor) -> Tensor:
            return fresh * c(j) / (share**2 * c(j) + fresh)

        return self.evidence(left, self.mean + self.jacobian.apply(gain, away))

    def misfit(self, x0: Tensor) -> Tensor:
        """``-log N(y; rows x0, variance)`` up to a constant, (g p,)."""
        residual = self._residual(x0)
        return 0.5 * (residual.square() / self.variance + self.variance.log()).sum(dim=1)

    def select(self, kept: Tensor) -> LocalGaussian:
        """The particles with the indices ``kept``, each in the place of one that shares its J."""
        own = len(self.mean) == len(self.jacobian.lowest)
        return replace(
            self,
            mean=self.mean[kept],
            jacobian=self.jacobian.select(kept) if own else self.jacobian,
            rows=self.rows[kept] if own and len(self.rows) > 1 else self.rows,
            y=self.y[kept],
            variance=self.variance[kept],
        )

    def shared(self, particles: int) -> LocalGaussian:
        """So many particles in the place of each, which share its J."""
        mean, y, variance = (
            each.repeat_interleave(particles, dim=0) for each in (self.mean, self.y, self.variance)
        )
        return replace(self, mean=mean, y=y, variance=variance, alike=True)

    @staticmethod
    def join(parts: Sequence[LocalGaussian]) -> LocalGaussian:
        """The particles of all ``parts``, none of which shares its J."""
        rows = [part.rows for part in parts]
        return LocalGaussian(
            torch.cat([part.mean for part in parts]),
            LowRank.join([part.jacobian for part in parts]),
            rows[0] if len(rows[0]) == 1 else torch.cat(rows),
            torch.cat([part.y for part in parts]),
            torch.cat([part.variance for part in parts]),
        )

    def _residual(self, x0: Tensor) -> Tensor:
        each = x0.reshape(len(self.jacobian.lowest), -1, x0.shape[1])
        return self.y - (each @ self.rows.mT).reshape(self.y.shape)

    def _columns(self, numbers: Tensor) -> Tensor:
        """Of particles, (g p, m), for each factor those that share it, (f, m, g p / f)."""
        count = len(self.jacobian.lowest) if self.alike else len(self.mean)
        return numbers.reshape(count, -1, numbers.shape[1]).mT

    def _factor(self, c: Spectrum) -> Tensor:
        seen, each = self.jacobian.between(c, self.rows, self.gram), self.variance
        if self.alike:
            each = each[:: len(self.mean) // len(seen)]
        else:
            seen = seen.repeat_interleave(len(self.mean) // len(seen), dim=0)
        return torch.linalg.cholesky(torch.diag_embed(each) + seen)


def look(
    problem: InverseProblem, prior: Prior, x: Tensor, sigma: float, directions: int, c: Spectrum
) -> LocalGaussian:
    """The Gaussian of x0 given each of ``x``, (b, \\*shape), J being that of D at x.

    One evaluation, and a product with J for each measured number (complex ones are two) and each of
    ``directions`` random ones. A nonlinear operator is as near to a linear one, for x0 of the
    covariance ``c`` of J, as can be (``linearised``), and what that leaves out is noise.
    """
    denoised, pull = prior.pullback(x, sigma)
    clean = problem.operator(denoised)
    seen = measured_numbers(problem)
    rows = rows_of(problem, denoised, seen)
    mean = flatten(denoised)

    generator = torch.Generator().manual_seed(0)
    random = torch.randn(directions, mean.shape[1], generator=generator, dtype=mean.dtype).to(mean)
    basis = torch.linalg.qr(torch.cat([rows, random.expand(len(rows), -1, -1)], dim=1).mT).Q.mT
    products = [flatten(pull(unflatten(u.expand(mean.shape), x))) for u in basis.unbind(dim=1)]
    passed = LowRank.of(torch.stack(products, dim=1), basis)

    left_out = torch.zeros_like(mean[:, :1])
    if not isinstance(problem.operator, LinearOperator):

        def measure(numbers: Tensor) -> tuple[Tensor, Tensor]:
            image = unflatten(numbers, x)
            return flatten(problem.operator(image)), rows_of(problem, image, seen)

        def away(white: Tensor) -> Tensor:
            return passed.apply(lambda j: c(j).sqrt(), white)

        values, rows, left_out = linearised(measure, mean, away, seen, generator)
        clean = unflatten(values, clean)
    y, variance = told_of(problem, clean)
    y = y + (rows @ mean[..., None])[..., 0]
    return LocalGaussian(mean, passed, rows, y, variance.to(mean) + left_out)


def told_of(problem: InverseProblem, clean: Tensor) -> tuple[Tensor, Tensor]:
    """How far y is from ``clean`` = A(x), and the variance of its noise there, (b, m) each."""
    seen = measured_numbers(problem)
    variance = problem.noise.variance(clean).expand(clean.shape).flatten(1)
    variance = variance.repeat_interleave(2, dim=1) if clean.is_complex() else variance
    return flatten(problem.working_residual(clean))[:, seen], variance[:, seen]


def measured_numbers(problem: InverseProblem) -> Tensor:
    """The places of the measured real numbers in a flattened measurement."""
    measured = problem.operator.measured
    if measured is None:
        measured = torch.ones(problem.operator.out_shape, dtype=torch.bool)
    parts = 2 if problem.y.is_complex() else 1
    return measured.to(problem.y.device).flatten().repeat_interleave(parts).nonzero()[:, 0]


def flatten(x: Tensor) -> Tensor:
    """Real numbers, in float64 where the device has it, (b, n)."""
    numbers = real_numbers(x)
    return widest(numbers.flatten(1))


def unflatten(numbers: Tensor, like: Tensor) -> Tensor:
    """Numbers, (b, n), in the dtype and, but for b, in the shape of ``like``."""
    numbers = numbers.to(like.real.dtype)
    if like.is_complex():
        numbers = torch.view_as_complex(numbers.reshape(len(numbers), -1, 2))
    return numbers.reshape(len(numbers), *like.shape[1:])


def rows_of(problem: InverseProblem, denoised: Tensor, seen: Tensor) -> Tensor:
    """The rows of the operator's Jacobian, (b, m, n), or (1, m, n) of a linear operator."""
    size = flatten(problem.y[:1]).shape[1]
    units = unflatten(torch.nn.functional.one_hot(seen, size), problem.y)
    if isinstance(problem.operator, LinearOperator):
        return flatten(problem.operator.rmatvec(units))[None]
    tangent = jacobian(problem.operator, denoised)
    return torch.stack([flatten(tangent.rmatvec(u.expand_as(problem.y))) for u in units], dim=1)
