"""Detail that samples lose behind a low-pass, given back by what photographs have of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from invscore.batches import per_image
from invscore.likelihood import GaussianNoise, InverseProblem
from invscore.methods.gaussian_field.frequency_bands import LARGE, FrequencyBands
from invscore.methods.gaussian_field.operator_power import OperatorPower
from invscore.operators import Blur, LinearOperator, SuperResolution
from invscore.priors.base import Prior
from invscore.priors.detail import DetailBands, DetailLaw
from invscore.rng import SampleRNG

HIDDEN = 0.15
"""Share of a band that is hidden from which on it tells nothing, and is told by coarser ones."""
ERROR = 0.05
"""Variance of the logarithm of a local power beside that of the law: of how it is seen."""
UPPER = 0.8
"""Share of half the variance by which the logarithm of the mean of a power is above its mean: 1
were logarithms quite Gaussian."""
DOUBT = 0.4
"""Loss, as a share of the power that is expected, which is as likely an error of what is expected:
a loss d counts for ``d^2 / (d^2 + DOUBT^2)`` of itself."""
TINY = 1e-12


def law_for(problem: InverseProblem, prior: Prior, spread: str) -> DetailLaw | None:
    """The law by which lost detail is told: of real images (c, h, w) behind a linear operator."""
    operator = problem.operator
    if not isinstance(operator, LinearOperator):
        return None
    if spread == "told" or len(operator.in_shape) != 3 or operator.in_complex:
        return None
    return prior.detail


def tails(problem: InverseProblem, prior: Prior, options: Mapping[str, Any]) -> float:
    """How uneven errors are over what is told, of a prior that knows: more behind a low-pass, where
    all fine detail is given back, than elsewhere."""
    if prior.detail is None or options["spread"] == "told":
        return 0.0
    detail = options["spread"] in ("seen", "uneven")
    behind_a_low_pass = detail and law_for(problem, prior, "seen") is not None
    return prior.detail.tails if behind_a_low_pass else prior.detail.tails_elsewhere


class LostDetail:
    """Noise that has the power that photographs have, and samples lost, at frequencies without y.

    A sample of the posterior has as much of every frequency as photographs do. Those of Gaussian
    fields lose fine detail from level to level, as D takes it for noise. How much there should be
    about each pixel is told by the measured, coarser bands and the prior's ``DetailLaw``; what is
    less is made up for by noise of this power about each pixel, Gaussian, of the frequencies that
    the measurement leaves open: ``h = 1 / (1 + P |a|^2 / s^2)`` of them, P the mean power of
    photographs, or behind blurs what is expected about the pixel: of strong detail y tells more,
    where it tells a frequency by itself and not, as of fewer pixels, with others. Antithetic
    pairs have it with opposite signs, so that their mean hardly moves. Noise of another law, as of
    counts, is as precise as the mean of what it is at the samples.
    """

    def __init__(self, problem: InverseProblem, law: DetailLaw, like: Tensor) -> None:
        assert isinstance(problem.operator, LinearOperator)
        self._problem, self._operator = problem, problem.operator
        bands = FrequencyBands.of(like)
        passed = OperatorPower.of(self._operator, bands)
        power = passed.power[None]
        if not passed.is_filter:  # which is known from few random images
            power = bands.spread(bands.sum(power) / bands.numbers)
        self._bands = DetailBands.of(like)
        self._law = law.to(like)
        half = self._bands.sides[-1] // 2 + 1
        self._power = power[..., :half]
        self._passed = self._mean_of_bands(self._power[0])
        if not (passed.is_filter or isinstance(self._operator, Blur)):
            self._passed = torch.zeros_like(self._passed)  # y tells no frequency by itself

    def __call__(self, clean: Tensor, rng: SampleRNG) -> Tensor:
        """Samples (b, \\*channels, h, w) with what they lack."""
        bands, law = self._bands, self._law
        variance = self._variance(clean)
        hidden = self._hidden(variance)
        spectrum = torch.fft.rfft2(clean)
        area = clean.shape[-2] * clean.shape[-1]
        left_open = self._left_open(hidden)
        known = [k for k, share in enumerate(left_open) if 0 <= share < HIDDEN]
        missing = [k for k, share in enumerate(left_open) if share >= HIDDEN]
        if not missing:
            return clean
        lost = torch.zeros_like(clean)
        held = torch.bfloat16 if clean[0].numel() > LARGE else clean.dtype
        seen = [bands.log_power(spectrum, k).sub_(law.mean[k]).to(held) for k in known]
        among = law.covariance[known][:, known] + ERROR * torch.eye(len(known)).to(law.mean)
        energy = bands.energy(spectrum).mul_(hidden)
        parity = None
        for k in sorted(missing, key=lambda k: k % 2):
            if k % 2 != parity:  # every other band has frequencies of its own alone
                parity, white = k % 2, torch.fft.rfft2(self._noise(clean, rng))
            weights = torch.linalg.solve(among, law.covariance[known, k])
            left = law.covariance[k, k] - weights @ law.covariance[known, k]
            expected = clean.new_full((len(clean), 1, 1, 1), float(law.mean[k] + UPPER * left / 2))
            for weight, each in zip(weights, seen, strict=True):
                expected = expected + weight * each
            expected = expected.exp_()
            has = bands.power(energy, k)
            loss = (1 - has / (left_open[k] * expected.mean((-2, -1))).clamp_min(TINY)).clamp_min(0)
            counts = loss**3 / (loss**2 + DOUBT**2)
            precision = self._passed[k] * area / bands.numbers[k] / variance.reshape(-1, 1, 1, 1)
            expected *= (1 + law.power[k] * precision) / (1 + expected * precision)
            deviation = (expected * (counts[..., None, None] * area / bands.numbers[k])).sqrt_()
            lost += deviation * bands.band(white, k)
        lost = bands.image(torch.fft.rfft2(lost) * hidden.sqrt())
        return clean + self._unseen(lost, hidden, variance)

    def _noise(self, clean: Tensor, rng: SampleRNG) -> Tensor:
        """White noise, of channels that have as much in common as photographs' do."""
        own, common = rng.normal_like(clean), self._law.common
        if clean.shape[1] == 1 or common <= 0:
            return own
        return common**0.5 * rng.normal_like(clean[:, :1]) + (1 - common) ** 0.5 * own

    def _variance(self, clean: Tensor) -> Tensor:
        """Of the noise, (b,): one over the mean precision of what is measured."""
        problem = self._problem
        if isinstance(problem.noise, GaussianNoise):
            return problem.linear_gaussian("matched_spectrum")[2]
        precision = 1 / problem.noise.variance(self._operator.matvec(clean))
        return 1 / problem.measured(precision.expand(problem.y.shape)).flatten(1).mean(dim=1)

    def _hidden(self, variance: Tensor) -> Tensor:
        """Share of each frequency's power that y does not tell, (b or 1, 1, h, w // 2 + 1)."""
        bands = self._bands
        if isinstance(self._operator, SuperResolution):
            hidden = hidden_by_decimation(self._operator, bands, self._law.power, variance)
        else:
            passed = bands.density(self._law.power) * self._power
            hidden = 1 / (1 + passed / variance.reshape(-1, 1, 1, 1))
        hidden[..., 0, 0] = 0
        return hidden

    def _left_open(self, hidden: Tensor) -> list[float]:
        """Share of each band that is ``hidden``, -1 for bands without frequencies."""
        shares = self._mean_of_bands(hidden.mean((0, 1)))
        return torch.where(self._bands.numbers > 0, shares, -1.0).tolist()

    def _mean_of_bands(self, each: Tensor) -> Tensor:
        """Mean over each band, (n,), of values at frequencies, (1, h, w // 2 + 1) or less; 0 of
        bands without frequencies."""
        bands = self._bands
        sums = [(bands.share(k) * bands.twice * each).sum() for k in range(len(bands.numbers))]
        return torch.stack(sums) / bands.numbers.clamp_min(1)

    def _unseen(self, lost: Tensor, hidden: Tensor, variance: Tensor) -> Tensor:
        """What y leaves open of noise that is white where it is ``hidden``."""
        count = (hidden * self._bands.twice).expand(lost.shape[:-1] + hidden.shape[-1:])
        axes = tuple(range(1, lost.ndim))
        power = lost.square().sum(axes) / count.sum(axes)
        ratio = variance / power.clamp_min(TINY)
        return per_image(ratio, lost) * self._operator.solve(lost, ratio)


def hidden_by_decimation(
    operator: SuperResolution, bands: DetailBands, power: Tensor, variance: Tensor
) -> Tensor:
    """Share of each frequency's power that smaller images do not tell, (b, 1, h, w // 2 + 1).

    Each number tells a sum of cosines that decimation takes for one another: of a cosine of power P
    and weight w in it, ``1 - w^2 P p / (1 + p sum(w^2 P))`` stays open at a precision p of the sum.
    ``power``: of ``bands``. ``variance``: of the noise, (b,).
    """
    height, width = bands.sides
    rows, columns = (torch.arange(n).to(power) / (2 * n) for n in (height, width))
    of_cosines = bands.density(power, torch.hypot(rows[:, None], columns))[None, None]
    precision = operator.svd(power.dtype).s.square() / variance.reshape(-1, 1, 1, 1)
    of_sum = operator.summed(of_cosines, squared=True)
    told = of_cosines * operator.parted(precision / (1 + precision * of_sum), squared=True)
    # Twice the index of a wave is that of the cosine of its frequency.
    down = (2 * torch.fft.fftfreq(height, 1 / height).abs()).long().clamp_max(height - 1)
    across = (2 * torch.arange(width // 2 + 1)).clamp_max(width - 1)
    at = [index.to(told.device) for index in (down, across)]
    return 1 - told.index_select(-2, at[0]).index_select(-1, at[1])
