"""Measurements with the noise that a user has declared, and the problems that they make."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from invscore.likelihood import GaussianNoise, InverseProblem, PoissonNoise, simulate
from invscore.noise import Noise
from invscore.noise_map import with_noise_map
from invscore.operators import LinearOperator, Operator
from invscore.rng import sample_rng
from invscore.tasks.noises import Declared, NoiseMap, Poisson

Law = Noise | Tensor
"""A law, or the standard deviation of each number of a measurement, (\\*out_shape)."""


def law_of(declared: Declared, operator: Operator) -> Law:
    """The noise ``declared`` of measurements by ``operator``.

    Raises ``ValueError`` for a level that is none, counts of complex numbers, and a noise map that
    does not fit or is of a nonlinear operator.
    """
    if isinstance(declared, Poisson):
        if operator.out_complex:
            raise ValueError(f"`noise` must be Gaussian for complex measurements, got {declared}")
        return PoissonNoise(declared.photons, declared.dark)
    if isinstance(declared, NoiseMap):
        if not isinstance(operator, LinearOperator):
            raise ValueError(
                "`noise` must be one number for a nonlinear operator, got the noise map "
                f"{declared.file!r}"
            )
        return declared.read(tuple(operator.out_shape))
    return gaussian_noise(declared)


def gaussian_noise(level: float) -> GaussianNoise:
    """Gaussian noise of the ``level``. Raises ``ValueError`` for one that is none."""
    if not (math.isfinite(level) and level >= 0):
        raise ValueError(
            "`noise` must be a standard deviation from 0, in units of the measurement, got "
            f"{level:g}"
        )
    return GaussianNoise(level)


def simulated(operator: Operator, x: Tensor, law: Law, seed: int) -> Tensor:
    """A measurement of the images x, (b, \\*in_shape), with noise of the ``law``."""
    if isinstance(law, Noise):
        return simulate(operator, x, law, seed)
    clean = operator(x)
    seen = _seen(law, operator).to(x.device)
    noise = sample_rng(seed, len(x), "noise", x.device).normal_like(clean)
    spread = torch.where(seen, law.to(x.device), 0).to(x.real.dtype)
    return torch.where(seen, clean + spread * noise, 0)


def problem_with(
    operator: Operator, y: Tensor, law: Law
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
    """What is measured, (\\*out_shape): where the noise is finite and positive."""
    seen = deviation.isfinite() & (deviation > 0)
    return seen if operator.measured is None else seen & operator.measured.to(seen.device)
