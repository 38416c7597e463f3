"""Does a law of noise keep the contract? The test of every built-in, and of yours."""

from __future__ import annotations

import torch
from torch import Tensor

from invscore.noise.base import Noise, require_moments
from invscore.report import Report
from invscore.rng import SampleRNG

DRAWS = 40_000
"""Measurements that are drawn for each clean value."""
ERRORS = 6.0
"""Standard errors by which a moment of the draws may be off."""
STEP = 1e-5
"""Relative step of the finite differences."""


@torch.no_grad()
def check_noise(
    noise: Noise, *, values: tuple[float, ...] = (0.2, 0.5, 1.0), seed: int = 0
) -> Report:
    """Test a law of noise on measurements of the clean ``values``, in double precision.

    Shapes, types, finite values and independence of the images of a batch; the score against finite
    differences of the log-likelihood; draws against the score, whose mean is 0, and against
    ``standardised`` and ``kurtosis``; where y has a density, that it integrates to 1; ``scaled``
    against the law itself.

    Raises ``TypeError`` for what is no ``Noise``.

        >>> from invscore.noise import GaussianNoise, check_noise
        >>> check_noise(GaussianNoise(0.1)).raise_if_failed()
    """
    if not isinstance(noise, Noise):
        raise TypeError(f"`noise` must be a Noise, got {type(noise).__name__}")
    report = Report(type(noise).__name__)
    clean = torch.tensor(values, dtype=torch.float64)[:, None].repeat(1, 8)
    _check_draws(report, noise, clean, seed)
    if not report.ok:
        return report
    y = noise.sample(clean, _rng(seed, len(values)))
    _check_likelihood(report, noise, y, clean)
    if not report.ok:
        return report
    _check_scaled(report, noise, y, clean)
    for value in values:
        _check_moments(report, noise, value, seed)
    return report


def require_noise(noise: Noise, what: str) -> None:
    """Raise ``ValueError`` unless ``noise``, called ``what``, draws and is likely as laws are.

    Shapes, types and finite values, on a few numbers from 0.2 to 1: no moments.
    """
    report = Report(what)
    clean = torch.tensor([[0.2, 0.5], [0.7, 1.0]], dtype=torch.float64)
    _check_draws(report, noise, clean, 0)
    report.raise_if_failed()
    _check_likelihood(report, noise, noise.sample(clean, _rng(0, len(clean))), clean)
    report.raise_if_failed()


def _rng(seed: int, images: int = 1) -> SampleRNG:
    return SampleRNG([(seed, k) for k in range(images)])


def _check_draws(report: Report, noise: Noise, clean: Tensor, seed: int) -> None:
    def shape() -> str:
        y = noise.sample(clean, _rng(seed, len(clean)))
        if not isinstance(y, Tensor):
            return f"sample must give a tensor, got {type(y).__name__}"
        fits = y.shape == clean.shape
        told = f"sample of {tuple(clean.shape)} must have that shape, got {tuple(y.shape)}"
        return "" if fits else told

    def dtype() -> str:
        given = noise.sample(clean.float(), _rng(seed, len(clean))).dtype
        return "" if given == torch.float32 else f"sample of float32 must be float32, got {given}"

    def finite() -> float:
        return float(not bool(noise.sample(clean, _rng(seed, len(clean))).isfinite().all()))

    def kept() -> str:
        before = clean.clone()
        noise.sample(clean, _rng(seed, len(clean)))
        return "" if torch.equal(before, clean) else "sample changes the values that it is given"

    def repeated() -> str:
        first, again = (noise.sample(clean, _rng(seed, len(clean))) for _ in range(2))
        same = "sample must draw by the rng that it is given: two draws by one seed differ"
        return "" if torch.equal(first, again) else same

    def accepted() -> str:
        noise.check(noise.sample(clean, _rng(seed, len(clean))))
        return ""

    def spread() -> str:
        require_moments(noise, clean)
        told = noise.variance(clean).expand(clean.shape)
        return "" if bool((told > 0).all()) else "variance must be above 0"

    report.require("shape", shape)
    if not report.ok:
        return
    report.require("dtype", dtype)
    report.add("finite", finite, 0.0, "sample has values that are NaN or infinite")
    report.require("input", kept)
    report.require("seed", repeated)
    report.require("check", accepted)
    report.require("variance", spread)


def _check_likelihood(report: Report, noise: Noise, y: Tensor, clean: Tensor) -> None:
    def shape() -> str:
        given = noise.log_likelihood(y, clean)
        fits = isinstance(given, Tensor) and given.shape == (len(y),)
        found = tuple(given.shape) if isinstance(given, Tensor) else type(given).__name__
        return "" if fits else f"log_likelihood must be one number an image, (b,), got {found}"

    def finite() -> float:
        return float(not bool(noise.log_likelihood(y, clean).isfinite().all()))

    def batch() -> float:
        images = torch.arange(len(y))
        alone = [noise.select(k).log_likelihood(y[k], clean[k]) for k in images[:, None]]
        return _relative(noise.log_likelihood(y, clean), torch.cat(alone))

    def score() -> float:
        step = STEP * clean.abs().mean()
        differences = torch.zeros_like(clean)
        for k in range(clean.shape[1]):
            moved = torch.zeros_like(clean)
            moved[:, k] = step
            up, down = (noise.log_likelihood(y, clean + s * moved) for s in (1, -1))
            differences[:, k] = (up - down) / (2 * step)
        return _relative(noise.score(y, clean), differences)

    report.require("log_likelihood", shape)
    if not report.ok:
        return
    report.add("finite log_likelihood", finite, 0.0, "log_likelihood of a draw is not finite")
    report.add("batch", batch, 1e-9, "an image's log_likelihood depends on the rest of the batch")
    report.add("score", score, 1e-4, "score is not the derivative of log_likelihood in clean")


def _check_scaled(report: Report, noise: Noise, y: Tensor, clean: Tensor) -> None:
    def variance() -> float:
        expected = 4 * noise.variance(clean).expand(clean.shape)
        return _relative(noise.scaled(2.0).variance(2 * clean).expand(clean.shape), expected)

    def draws() -> float:
        scaled = noise.scaled(2.0).standardised(2 * y, 2 * clean)
        return _relative(scaled, noise.standardised(y, clean))

    report.add("scaled, variance", variance, 1e-6, "scaled(2) has not four times the variance")
    report.add("scaled, draws", draws, 1e-6, "scaled(2) is not the noise of twice y")


def _check_moments(report: Report, noise: Noise, value: float, seed: int) -> None:
    clean = torch.full((1, DRAWS), value, dtype=torch.float64)
    y = noise.sample(clean, _rng(seed))
    at, z = f" at {value:g}", noise.standardised(y, clean)
    excess = float(noise.kurtosis(clean).expand(clean.shape)[0, 0])

    def mean() -> float:
        return _errors(z, 0.0)

    def square() -> float:
        return _errors(z.square(), 1.0)

    def fourth() -> float:
        return _errors(z.pow(4), 3 + excess)

    def score() -> float:
        return _errors(noise.score(y, clean), 0.0)

    def density() -> float:
        low, high = torch.quantile(y, torch.tensor([0.25, 0.75], dtype=y.dtype))
        inside = ((y > low) & (y < high)).to(y.dtype)
        likelihood = noise.log_likelihood(y.T, clean.T).exp()
        return _errors(inside / (likelihood * (high - low)), 1.0)

    report.add(f"mean{at}", mean, ERRORS, "draws, standardised, have not the mean 0")
    report.add(f"variance{at}", square, ERRORS, "draws have not the variance that is told")
    report.add(f"kurtosis{at}", fourth, ERRORS, "draws have not the kurtosis that is told")
    report.add(f"score{at}", score, ERRORS, "draws are not of the law of log_likelihood")
    if len(set(y[0].tolist())) > 0.9 * y.numel():  # a density, not counts
        report.add(f"density{at}", density, ERRORS, "log_likelihood is not normalised in y")


def _errors(values: Tensor, expected: float) -> float:
    """How many standard errors the mean of ``values`` is from what is ``expected``."""
    spread = float(values.std()) / values.numel() ** 0.5
    return abs(float(values.mean()) - expected) / max(spread, 1e-12)


def _relative(a: Tensor, b: Tensor) -> float:
    if a.shape != b.shape:
        raise ValueError(f"shapes {tuple(a.shape)} and {tuple(b.shape)}")
    return float((a - b).norm()) / max(float(a.norm()), float(b.norm()), 1e-30)
