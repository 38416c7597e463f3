"""Levy processes, whose posteriors a Gibbs sampler knows: heavy tails and jumps.

The protocol of Zach, Haouchat & Unser 2026: signals of 64 numbers that start at 0 and have
independent increments, seen by four operators at 25 dB. Methods are given the exact denoiser, or in
the problems whose name says so a learned one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache, partial
from itertools import product

import numpy as np
import torch
from torch import Tensor

from invscore.bench.posterior.gibbs import sample_increments
from invscore.bench.posterior.levy_laws import LAWS, Law
from invscore.bench.posterior.levy_network import learned_prior
from invscore.bench.posterior.levy_prior import LevyPrior
from invscore.bench.posterior.metrics import CREDIBLE, SLICED, sliced_wasserstein
from invscore.bench.posterior.problem import Instance, Metric, Problem, Scores, register
from invscore.likelihood import GaussianNoise, InverseProblem, simulate
from invscore.operators import Blur, Identity, Inpainting, LinearOperator, from_matrix
from invscore.priors.base import Prior
from invscore.uncertainty.intervals import order_statistic

DIM = 64
SHAPE = (1, 1, DIM)
SNR = 25.0
"""Signal-to-noise ratio of the measurement in dB, from the median power over signals: the mean is
infinite for some laws."""
CHAINS, BURN_IN, STEPS = 64, 200, 160
RESOLUTION = 0.1
"""Increments smaller than this count as no jump (jumps are about 1): no sampler leaves exact
zeros."""

GAP = Metric("gap", "excess of the mean squared error of the samples' mean over the least, in dB")
REGION = Metric("coverage", "posterior mass of the samples' 90 % highest-density region", CREDIBLE)


def operator_of(name: str) -> LinearOperator:
    """The operator of a problem, one for all its instances."""
    if name == "identity":
        return Identity(SHAPE)
    if name == "convolution":
        taps = torch.exp(-0.5 * (torch.arange(-6, 7) / 2) ** 2)
        return Blur((taps / taps.sum())[None], SHAPE)
    generator = torch.Generator().manual_seed(0)
    if name == "sampling":
        mask = torch.zeros(1, DIM, dtype=torch.bool)
        mask[0, [0, DIM - 1]] = True  # a signal that goes on unseen has no variance for some laws
        mask[0, 1 + torch.randperm(DIM - 2, generator=generator)[:31]] = True
        return Inpainting(mask, SHAPE)
    high = 5 + torch.randperm(27, generator=generator)[:14]
    return from_matrix(fourier_rows([*range(1, 5), *high.tolist()]), SHAPE)


def fourier_rows(frequencies: list[int]) -> Tensor:
    """The mean and cosines and sines of the ``frequencies``, orthonormal rows in float64."""
    places = torch.arange(DIM, dtype=torch.float64)
    rows = [torch.full_like(places, DIM**-0.5)]
    for frequency in frequencies:
        angles = 2 * math.pi * frequency * places / DIM
        rows += [(2 / DIM) ** 0.5 * angles.cos(), (2 / DIM) ** 0.5 * angles.sin()]
    return torch.stack(rows)


OPERATORS = {
    "identity": ("itself", 64),
    "convolution": ("a Gaussian filter of 13 taps", 64),
    "sampling": ("33 of its values", 33),
    "fourier": ("19 of its 33 Fourier coefficients", 37),
}
"""The measurements: in words, and the number of real numbers measured."""
STANDARD = (("laplace", "convolution"), ("bernoulli", "sampling"))
"""Problems that are run where none are chosen; the others' denoisers take long."""


@cache
def noise_level(law: str, operator: str) -> float:
    """The standard deviation of the noise, to four digits, that makes the SNR."""
    x = LAWS[law].sample((2000, DIM), np.random.default_rng(0)).cumsum(dim=1)
    clean = operator_of(operator)(x.reshape(-1, *SHAPE))
    seen = clean.flatten(1).square()
    power = float((seen.sum(dim=1) / OPERATORS[operator][1]).median())
    return float(f"{math.sqrt(power / 10 ** (SNR / 10)):.4g}")


@dataclass(frozen=True)
class Gold:
    """A posterior by its draws: ``signals`` (n, d) to compare with, and ``others`` as good.

    ``mean`` (d,) and ``spread``, the sum of the variances, are of the posterior.
    """

    mean: Tensor
    spread: float
    signals: Tensor
    others: Tensor


def gold_posterior(law: Law, matrix: Tensor, y: Tensor, noise: float, seed: int) -> Gold:
    """The posterior of a signal given ``y = matrix x + noise n``, by half of the chains each."""
    sums = torch.tril(torch.ones(matrix.shape[1], matrix.shape[1], dtype=torch.float64))
    draws = sample_increments(
        law, matrix @ sums, y, noise, chains=CHAINS, burn_in=BURN_IN, steps=STEPS, seed=seed
    )
    signals = draws.increments.cumsum(dim=-1)
    mean = draws.means.cumsum(dim=-1).mean(dim=(0, 1))
    spread = float((signals - mean).square().sum(dim=-1).mean())
    first, second = torch.split(signals, CHAINS // 2, dim=1)
    return Gold(mean, spread, first.flatten(0, 1), second.flatten(0, 1))


def build(seed: int, law: str, operator: str, *, learned: bool = False) -> Instance:
    """A signal of ``LAWS`` and its measurement by one of ``OPERATORS``.

    Methods are given the exact denoiser, or the ``learned`` one, trained where it is not at hand.
    """
    forward, noise = operator_of(operator), GaussianNoise(noise_level(law, operator))
    exact = LevyPrior(LAWS[law], DIM)
    y = simulate(forward, exact.sample(1, seed).float().reshape(1, *SHAPE), noise, seed)
    numbers, matrix = measured_numbers(forward, y)
    gold = gold_posterior(LAWS[law], matrix, numbers, noise_level(law, operator), seed)

    def log_density(x: Tensor) -> Tensor:
        increments = x.diff(dim=1, prepend=torch.zeros_like(x[:, :1]))
        if LAWS[law].jumps < 1:
            increments = torch.where(increments.abs() < RESOLUTION, 0.0, increments)
        misfit = (numbers - x @ matrix.T).square().sum(dim=1) / noise_level(law, operator) ** 2
        return LAWS[law].log_density(increments).sum(dim=1) - 0.5 * misfit

    known = log_density(gold.signals).sort().values

    def score(samples: Tensor) -> Scores:
        x = samples.double().flatten(1)
        exact, slices = pick(gold.signals, len(x), seed), torch.Generator().manual_seed(seed)
        return {
            SLICED.name: sliced_wasserstein(x, exact, slices),
            GAP.name: gap(x.mean(dim=0), gold),
            REGION.name: region_mass(log_density(x), known),
        }

    def floor(n: int) -> Scores:
        return score(pick(gold.others, n, seed))

    prior: Prior = learned_prior(exact, law) if learned else exact
    return Instance(InverseProblem(forward, y, noise), prior, score, floor)


def measured_numbers(operator: LinearOperator, y: Tensor) -> tuple[Tensor, Tensor]:
    """The measured entries of ``y`` (1, \\*out_shape), (n,), and their matrix (n, d)."""
    units = torch.eye(DIM, dtype=torch.float64).reshape(-1, *operator.in_shape)
    matrix, numbers = operator(units).flatten(1).T, y[0].double().flatten()
    if operator.measured is None:
        return numbers, matrix
    seen = operator.measured.flatten()
    return numbers[seen], matrix[seen]


def gap(mean: Tensor, gold: Gold) -> float:
    """The mean squared error of an estimate over that of the posterior mean, in dB.

    Both are expected under the posterior: ``10 log10(1 + |mean - E x|^2 / E |x - E x|^2)``.
    """
    away = float((mean - gold.mean).square().sum())
    return 10 * math.log10(1 + away / gold.spread)


def region_mass(log_density: Tensor, known: Tensor) -> float:
    """The posterior mass of the region {density >= level} that holds 90 % of the samples.

    ``log_density`` (n,) of samples; ``known``, (m,), that of draws from the posterior, ascending.
    """
    above = 1 - torch.searchsorted(known, log_density) / len(known)
    return float(order_statistic(above.double().sort().values, CREDIBLE))


def pick(signals: Tensor, n: int, seed: int) -> Tensor:
    """``n`` of the ``signals``, at random."""
    order = torch.randperm(len(signals), generator=torch.Generator().manual_seed(seed))
    return signals[order[:n]]


for law, (operator, (measured, numbers)), learned in product(LAWS, OPERATORS.items(), (0, 1)):
    if learned and math.isinf(LAWS[law].variance):
        continue  # a network that sees numbers of any size learns nothing
    denoiser = ", by a learned denoiser" if learned else ""
    register(
        Problem(
            name=f"levy-{'learned-' if learned else ''}{law}-{operator}",
            what=f"signal of 64 values with {law} increments, known by {measured}{denoiser}",
            dim=DIM,
            measurements=numbers,
            noise=noise_level(law, operator),
            metrics=(SLICED, GAP, REGION),
            samples=50,
            build=partial(build, law=law, operator=operator, learned=bool(learned)),
            standard=not learned and (law, operator) in STANDARD,
        )
    )
