"""Posteriors in closed form: Gaussians and their mixtures are closed under linear measurements.

For ``x ~ N(m, C)`` and ``y = A x + s n``, the posterior is Gaussian with covariance
``C' = (C^-1 + A^T A / s^2)^-1`` and mean ``m + C' A^T (y - A m) / s^2`` (Bishop 2006, Sec. 2.3.3);
the weight of a mixture's component is multiplied by its evidence, ``N(y; A m, A C A^T + s^2 I)``.
All is computed in float64. Complex measurements count as twice as many real ones.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import overload

import torch
from torch import Tensor

from invscore.batches import real_numbers
from invscore.likelihood import InverseProblem
from invscore.operators import LinearOperator
from invscore.options.argument_checks import require_type
from invscore.priors.base import Prior
from invscore.priors.covariance import Covariance
from invscore.priors.gaussian import Gaussian, GaussianPrior
from invscore.priors.mixture import GaussianMixturePrior
from invscore.priors.stationary import StationaryGaussianPrior

CHUNK = 256
"""Number of images to which an operator is applied together when its matrix is written out."""


@overload
def exact_posterior(problem: InverseProblem, prior: GaussianPrior) -> GaussianPrior: ...
@overload
def exact_posterior(
    problem: InverseProblem, prior: StationaryGaussianPrior
) -> GaussianPrior | StationaryGaussianPrior: ...
@overload
def exact_posterior(
    problem: InverseProblem, prior: GaussianMixturePrior
) -> GaussianMixturePrior: ...


def exact_posterior(problem: InverseProblem, prior: Prior) -> Prior:
    """``p(x | y)`` for a linear operator, Gaussian noise and one measurement, (1, \\*out_shape).

    Again a Gaussian or a mixture, in the dtype and on the device of the prior. A stationary prior
    stays stationary, at the cost of a few FFTs, where ``A^T A`` commutes with shifts (identity,
    periodic blur, Fourier sampling). Otherwise the operator is written out as a matrix, as it is
    for the other priors: time of order d^3 and memory of order d^2 for d pixels.

    Raises ``ValueError`` for other priors, operators and noise, for complex images, and for more
    than one measurement.

        >>> import torch
        >>> from invscore import GaussianNoise, GaussianPrior, InverseProblem, exact_posterior
        >>> from invscore.operators import Identity
        >>> prior = GaussianPrior(torch.zeros(1, 1, 1), 1.0)
        >>> y = torch.full((1, 1, 1, 1), 2.0)
        >>> problem = InverseProblem(Identity((1, 1, 1)), y, GaussianNoise(1.0))
        >>> round(exact_posterior(problem, prior).mean.item(), 4)
        1.0
    """
    require_type("problem", problem, InverseProblem)
    require_type("prior", prior, Prior)
    if len(problem.y) != 1:
        raise ValueError(
            "the problem must have one measurement for exact_posterior, got "
            f"{len(problem.y)}: see problem.select"
        )
    prior = _closed_form(prior, "exact_posterior")
    measured = _Measurement.of(problem, prior.shape, "exact_posterior")
    if isinstance(prior, StationaryGaussianPrior):
        field = _Field.of(measured.operator, prior)
        if field is not None:
            mean = field.prior.mean + field.shift(measured)[0]
            posterior = StationaryGaussianPrior(mean, field.spectrum(measured)[0])
            return posterior.to(dtype=prior.mean.dtype)

    matrix = _matrix(measured)
    means, covariances, log_weights = [], [], []
    for part in _parts(prior):
        law = _Conditioning.of(matrix, part.covariance)
        misfit = measured.numbers[:, None] - part.means @ matrix.T
        means.append(part.means + law.shift(misfit, measured.s)[0])
        covariances.append(law.covariance(float(measured.s)))
        log_weights.append(part.log_weights + law.log_evidence(misfit, measured.s)[0])
    images = torch.cat(means).reshape(-1, *problem.operator.in_shape)
    if isinstance(prior, GaussianMixturePrior):
        weights = torch.cat(log_weights).softmax(dim=0)
        mixture = GaussianMixturePrior(images, covariances, weights)
        return mixture.to(dtype=prior.mean.dtype)
    return GaussianPrior(images[0], covariances[0]).to(dtype=prior.mean.dtype)


def log_evidence(problem: InverseProblem, prior: Prior) -> Tensor:
    """``log p(y)`` in nats, a density of the measured numbers: (b,), one a measurement.

    Priors, operators and noise as for ``exact_posterior``; ``ValueError`` for others.
    """
    prior = _closed_form(prior, "log_evidence")
    measured = _Measurement.of(problem, prior.shape, "log_evidence")
    if isinstance(prior, StationaryGaussianPrior):
        field = _Field.of(measured.operator, prior)
        if field is not None:
            return field.log_evidence(measured)

    matrix = _matrix(measured)
    columns = []
    for part in _parts(prior):
        law = _Conditioning.of(matrix, part.covariance)
        misfit = measured.numbers[:, None] - part.means @ matrix.T
        columns.append(part.log_weights + law.log_evidence(misfit, measured.s))
    return torch.cat(columns, dim=1).logsumexp(dim=1)


def _closed_form(prior: Prior, asked: str) -> Gaussian | GaussianMixturePrior:
    if not isinstance(prior, Gaussian | GaussianMixturePrior):
        raise ValueError(
            f"{asked} needs a Gaussian or a Gaussian mixture prior, given {type(prior).__name__}"
        )
    return prior


@dataclass(frozen=True)
class _Measurement:
    """A linear-Gaussian problem in float64: ``y`` (b, \\*out_shape), noise levels (b, 1, 1)."""

    operator: LinearOperator
    y: Tensor
    s: Tensor

    @classmethod
    def of(cls, problem: InverseProblem, shape: tuple[int, ...], asked: str) -> _Measurement:
        operator, y, variance = problem.linear_gaussian(asked)
        if operator.in_complex or tuple(operator.in_shape) != shape:
            kind = "complex" if operator.in_complex else "real"
            raise ValueError(
                f"the operator must take real images of shape {shape}, those of the prior, "
                f"got one for {kind} images of shape {tuple(operator.in_shape)}"
            )
        s = variance.double().sqrt().reshape(-1, 1, 1)
        double = y.to(torch.complex128 if y.is_complex() else torch.float64)
        return cls(operator.to(dtype=torch.float64), double, s)

    @property
    def numbers(self) -> Tensor:
        """The measured entries of ``y`` as real numbers, (b, n)."""
        return self.real(self.y)

    def real(self, y: Tensor) -> Tensor:
        """The measured entries of (b, \\*out_shape) as real numbers, (b, n)."""
        mask = self.operator.measured
        known = y if mask is None else y[:, mask.to(y.device)]
        return real_numbers(known).flatten(1)


@dataclass(frozen=True)
class _Part:
    """Components of a mixture that share a covariance: means (m, d), log weights (m,)."""

    log_weights: Tensor
    means: Tensor
    covariance: Covariance


def _parts(prior: Gaussian | GaussianMixturePrior) -> list[_Part]:
    if isinstance(prior, GaussianMixturePrior):
        mixture = prior.to(dtype=torch.float64)
        size = len(mixture.means) // len(mixture.covariances)
        logs = torch.split(mixture.weights.log(), size)
        means = torch.split(mixture.means.flatten(1), size)
        return [_Part(*part) for part in zip(logs, means, mixture.covariances, strict=True)]
    prior = prior.to(dtype=torch.float64)
    mean = prior.mean.reshape(1, -1)
    return [_Part(mean.new_zeros(1), mean, prior.dense_covariance())]


@dataclass(frozen=True)
class _Conditioning:
    """``A R = U diag(values) W^T``, where R is a root of the prior covariance ``C = R R^T``.

    ``u`` (n, r), ``values`` (r,), ``w`` (d, d) with all its columns.
    """

    u: Tensor
    values: Tensor
    w: Tensor
    prior: Covariance

    @classmethod
    def of(cls, matrix: Tensor, covariance: Covariance) -> _Conditioning:
        n, d = matrix.shape
        image = covariance.analyse(matrix) * covariance.values.sqrt()
        u, values, wh = torch.linalg.svd(image, full_matrices=n < d)
        return cls(u, values, wh.T, covariance)

    def shift(self, misfit: Tensor, s: Tensor) -> Tensor:
        """``C A^T (A C A^T + s^2 I)^-1 misfit``, (b, m, n) -> (b, m, d)."""
        gain = self.values / (self.values**2 + s**2)
        return self._root((gain * (misfit @ self.u)) @ self.w[:, : len(self.values)].T)

    def covariance(self, s: float) -> Covariance:
        """The posterior covariance."""
        shrunk = torch.ones_like(self.prior.values)
        shrunk[: len(self.values)] += (self.values / s) ** 2
        if self.prior.isotropic:
            return Covariance(self.prior.values / shrunk, self.w)
        # The singular values of a root of C' give small eigenvalues all their digits.
        basis, roots, _ = torch.linalg.svd(self._root((self.w / shrunk.sqrt()).T).T)
        return Covariance(roots**2, basis)

    def log_evidence(self, misfit: Tensor, s: Tensor) -> Tensor:
        """``log N(misfit; 0, A C A^T + s^2 I)``, (b, m, n) -> (b, m)."""
        seen = misfit @ self.u
        unseen = misfit - seen @ self.u.T
        volume = 1 + (self.values / s) ** 2
        energy = unseen.square().sum(dim=-1) + (seen.square() / volume).sum(dim=-1)
        constant = misfit.shape[-1] * (2 * math.pi * s[..., 0] ** 2).log()
        return -0.5 * (energy / s[..., 0] ** 2 + volume.log().sum(dim=-1) + constant)

    def _root(self, x: Tensor) -> Tensor:
        """``R x``, R a square root of the prior covariance, (..., d) -> (..., d)."""
        return self.prior.synthesise(self.prior.values.sqrt() * x)


@dataclass(frozen=True)
class _Field:
    """A stationary prior under ``A`` with ``A^T A`` periodic convolution by ``transfer``."""

    prior: StationaryGaussianPrior
    transfer: Tensor

    @classmethod
    def of(cls, operator: LinearOperator, prior: StationaryGaussianPrior) -> _Field | None:
        """``None`` where ``A^T A`` is no convolution of each channel by itself."""
        field = prior.to(dtype=torch.float64)
        impulse = torch.zeros_like(field.mean)
        impulse[..., 0, 0] = 1
        transfer = torch.fft.fft2(operator.normal(impulse[None])[0]).real.clamp_min(0)
        # A linear map that agrees with the convolution on a random image agrees everywhere.
        generator = torch.Generator().manual_seed(0)
        probe = torch.randn(1, *prior.shape, generator=generator, dtype=torch.float64)
        probe = probe.to(impulse.device)
        image = operator.normal(probe)
        difference = image - field.filter(probe, transfer[None])
        return cls(field, transfer) if difference.norm() <= 1e-6 * image.norm() else None

    def spectrum(self, measured: _Measurement) -> Tensor:
        """The spectrum of the posterior, (b, \\*shape)."""
        power = self.prior.spectrum
        return power / self._volume(measured)

    def shift(self, measured: _Measurement) -> Tensor:
        """The posterior mean less the prior's, (b, \\*shape)."""
        return self.prior.filter(self._pull(measured), self.spectrum(measured))

    def log_evidence(self, measured: _Measurement) -> Tensor:
        """``log p(y)``, (b,), by the formula of Woodbury."""
        s = measured.s[:, 0, 0]
        gained = (self._pull(measured) * self.shift(measured)).flatten(1).sum(dim=1)
        misfit = measured.real(self._misfit(measured))
        energy = misfit.square().sum(dim=1) / s**2 - gained
        volume = self._volume(measured).log().flatten(1).sum(dim=1)
        return -0.5 * (energy + volume + misfit.shape[1] * (2 * math.pi * s**2).log())

    def _misfit(self, measured: _Measurement) -> Tensor:
        return measured.y - measured.operator(self.prior.mean[None])

    def _pull(self, measured: _Measurement) -> Tensor:
        """``A^T (y - A m) / s^2``."""
        return measured.operator.rmatvec(self._misfit(measured)) / self._s(measured) ** 2

    def _volume(self, measured: _Measurement) -> Tensor:
        return 1 + self.prior.spectrum * self.transfer / self._s(measured) ** 2

    def _s(self, measured: _Measurement) -> Tensor:
        return measured.s.reshape(-1, *[1] * self.prior.mean.ndim)


def _matrix(measured: _Measurement) -> Tensor:
    """The operator as a real matrix from images to what is measured, (n, d)."""
    operator = measured.operator
    eye = torch.eye(math.prod(operator.in_shape), dtype=torch.float64, device=measured.y.device)
    images = [x.reshape(-1, *operator.in_shape) for x in torch.split(eye, CHUNK)]
    return torch.cat([measured.real(operator(x)) for x in images]).T
