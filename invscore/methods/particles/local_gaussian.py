"""Gaussian approximation of p(x0 | x) to second order, and of p(x0 | x, y)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

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
    """``x0 ~ N(mean, c(J))`` and ``y = rows x0 + noise``, one a particle, all of real numbers.

    ``mean`` (b, n), ``rows`` (b, m, n), ``y`` and the ``variance`` of its noise (b, m). The
    methods name the function c, on which Gaussian steps from here depend.
    """

    mean: Tensor
    jacobian: LowRank
    rows: Tensor
    y: Tensor
    variance: Tensor

    def evidence(self, c: Spectrum, mean: Tensor) -> Tensor:
        """``log N(y; rows mean, variance + rows c(J) rows^T)`` up to a constant, (b,)."""
        factor = self._factor(c)
        white = torch.linalg.solve_triangular(factor, self._residual(mean), upper=False)
        volume = factor.diagonal(dim1=1, dim2=2).log().sum(dim=1)
        return -0.5 * white.square().sum(dim=(1, 2)) - volume

    def draw(self, c: Spectrum, white: Tensor, noise: Tensor) -> Tensor:
        """``x0`` given y, from standard normal numbers (b, n) and (b, m).

        A draw of x0 and y, moved by what the true y says of it (Papandreou & Yuille 2010).
        """
        x0 = self.mean + self.jacobian.apply(lambda j: c(j).sqrt(), white)
        residual = self._residual(x0) - (self.variance.sqrt() * noise)[..., None]
        explained = torch.cholesky_solve(residual, self._factor(c))
        return x0 + self.jacobian.apply(c, (self.rows.mT @ explained)[..., 0])

    def ahead(self, c: Spectrum, share: float, lower: float, away: Tensor) -> Tensor:
        """The evidence that is expected a Gaussian step from here, (b,).

        ``away`` (b, n) is by how much the step has missed its mean: x' = share x0 + noise, of
        variance ``lower^2 share``, but for what is known.
        """
        fresh = lower**2 * share

        def gain(j: Tensor) -> Tensor:
            return share * c(j) / (share**2 * c(j) + fresh)

        def left(j: Tensor) -> Tensor:
            return fresh * c(j) / (share**2 * c(j) + fresh)

        return self.evidence(left, self.mean + self.jacobian.apply(gain, away))

    def misfit(self, x0: Tensor) -> Tensor:
        """``-log N(y; rows x0, variance)`` up to a constant, (b,)."""
        residual = self._residual(x0)[..., 0]
        return 0.5 * (residual.square() / self.variance + self.variance.log()).sum(dim=1)

    def select(self, kept: Tensor) -> LocalGaussian:
        """The particles with the indices ``kept``."""
        return LocalGaussian(
            self.mean[kept],
            self.jacobian.select(kept),
            self.rows[kept],
            self.y[kept],
            self.variance[kept],
        )

    @staticmethod
    def join(parts: Sequence[LocalGaussian]) -> LocalGaussian:
        """The particles of all ``parts``."""
        return LocalGaussian(
            torch.cat([part.mean for part in parts]),
            LowRank.join([part.jacobian for part in parts]),
            torch.cat([part.rows for part in parts]),
            torch.cat([part.y for part in parts]),
            torch.cat([part.variance for part in parts]),
        )

    def _residual(self, x0: Tensor) -> Tensor:
        return self.y[..., None] - self.rows @ x0[..., None]

    def _factor(self, c: Spectrum) -> Tensor:
        total = torch.diag_embed(self.variance) + self.jacobian.between(c, self.rows)
        return torch.linalg.cholesky(total)


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
    rows = _rows(problem, denoised, seen)
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
            return flatten(problem.operator(image)), _rows(problem, image, seen)

        def away(white: Tensor) -> Tensor:
            return passed.apply(lambda j: c(j).sqrt(), white)

        values, rows, left_out = linearised(measure, mean, away, seen, generator)
        clean = unflatten(values, clean)
    variance = problem.noise.variance(clean).expand(clean.shape).flatten(1)
    variance = variance.repeat_interleave(2, dim=1) if clean.is_complex() else variance
    residual = flatten(problem.working_residual(clean))[:, seen]
    return LocalGaussian(
        mean=mean,
        jacobian=passed,
        rows=rows.expand(len(mean), -1, -1),
        y=residual + (rows @ mean[..., None])[..., 0],
        variance=variance[:, seen].to(mean) + left_out,
    )


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


def _rows(problem: InverseProblem, denoised: Tensor, seen: Tensor) -> Tensor:
    """The rows of the operator's Jacobian, (b, m, n), or (1, m, n) of a linear operator."""
    size = flatten(problem.y[:1]).shape[1]
    units = unflatten(torch.nn.functional.one_hot(seen, size), problem.y)
    if isinstance(problem.operator, LinearOperator):
        return flatten(problem.operator.rmatvec(units))[None]
    tangent = jacobian(problem.operator, denoised)
    return torch.stack([flatten(tangent.rmatvec(u.expand_as(problem.y))) for u in units], dim=1)
