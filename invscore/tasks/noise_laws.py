"""Measurements with the noise that a user has declared, and the problems that they make."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from invscore.estimation.noise_map import with_noise_map
from invscore.likelihood import InverseProblem, simulate
from invscore.noise import (
    GaussianNoise,
    Noise,
    PoissonGaussianNoise,
    PoissonNoise,
    RicianNoise,
    SpeckleNoise,
    TransmissionNoise,
)
from invscore.operators import LinearOperator, Operator
from invscore.rng import sample_rng
from invscore.tasks.noise_files import read_counts, read_noise_map
from invscore.tasks.noises import (
    Declared,
    NoiseMap,
    OwnLaw,
    Poisson,
    PoissonGaussian,
    Rician,
    Speckle,
    Transmission,
)
from invscore.tasks.own_noise import load_noise

NoiseOrMap = Noise | Tensor
"""A law, or the standard deviation of each number of a measurement, (\\*out_shape)."""


def law_of(declared: Declared | Noise, operator: Operator) -> NoiseOrMap:
    """The noise ``declared`` of measurements by ``operator``.

    Raises ``ValueError`` for a level that is none, counts of complex numbers, and a noise map that
    does not fit or is of a nonlinear operator, and a law of one's own that cannot be had.
    """
    if isinstance(declared, Noise):
        return declared
    if isinstance(declared, NoiseMap):
        if not isinstance(operator, LinearOperator):
            raise ValueError(
                "`noise` must be one number for a nonlinear operator, got the noise map "
                f"{declared.file!r}"
            )
        return read_noise_map(declared, tuple(operator.out_shape))
    if isinstance(declared, OwnLaw):
        return load_noise(declared.address, declared.options)
    if isinstance(declared, float | int):
        return gaussian_noise(declared)
    if operator.out_complex:
        raise ValueError(f"`noise` must be Gaussian for complex measurements, got {declared}")
    shape = tuple(operator.out_shape)
    match declared:
        case Poisson(photons, dark, background):
            return PoissonNoise(photons, dark, read_counts(background, "background", shape))
        case PoissonGaussian(photons, sigma, background):
            counts = read_counts(background, "background", shape)
            return PoissonGaussianNoise(photons, background=counts, sigma=sigma)
        case Transmission(photons, background):
            if photons is None:
                raise ValueError("noise 'transmission' needs photons: 'transmission(photons=...)'")
            beam = read_counts(photons, "photons", shape)
            return TransmissionNoise(beam, read_counts(background, "background", shape))
        case Rician(sigma):
            return RicianNoise(sigma)
        case Speckle(looks):
            return SpeckleNoise(looks)
    raise AssertionError(declared)


def gaussian_noise(level: float) -> GaussianNoise:
    """Gaussian noise of the ``level``. Raises ``ValueError`` for one that is none."""
    if not (math.isfinite(level) and level >= 0):
        raise ValueError(
            "`noise` must be a standard deviation from 0, in units of the measurement, got "
            f"{level:g}"
        )
    return GaussianNoise(level)


def simulated(operator: Operator, x: Tensor, law: NoiseOrMap, seed: int) -> Tensor:
    """A measurement of the images x, (b, \\*in_shape), with noise of the ``law``."""
    if isinstance(law, Noise):
        return simulate(operator, x, law, seed)
    clean = operator(x)
    seen = _seen(law, operator).to(x.device)
    noise = sample_rng(seed, len(x), "noise", x.device).normal_like(clean)
    spread = torch.where(seen, law.to(x.device), 0).to(x.real.dtype)
    return torch.where(seen, clean + spread * noise, 0)


def problem_with(
    operator: Operator, y: Tensor, law: NoiseOrMap
) -> tuple[InverseProblem, InverseProblem | None, tuple[str, ...]]:
    """The problem of y, what it was before a noise map has weighted it, and what is to be told."""
    if isinstance(law, Noise):
        return InverseProblem(operator, y, law), None, ()
    assert isinstance(operator, LinearOperator)
    seen = _seen(law, operator)
    typical = float(law[seen].square().mean().sqrt())
    plain = torch.where(seen.to(y.device), y, 0)
    unweighted = InverseProblem(operator, plain, GaussianNoise(typical))
    left = int((~(law.isfinite() & (law > 0))).sum())
    told = f"noise map: {left} of {law.numel()} numbers have no finite deviation above 0"
    sentences = (f"{told}, not measured",) if left else ()
    return with_noise_map(operator, y, law.square()), unweighted, sentences


def _seen(deviation: Tensor, operator: Operator) -> Tensor:
    """Mask of what is measured, (\\*out_shape): where the noise is finite and positive."""
    seen = deviation.isfinite() & (deviation > 0)
    return seen if operator.measured is None else seen & operator.measured.to(seen.device)
