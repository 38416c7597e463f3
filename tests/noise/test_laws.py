"""Laws of noise against quadrature and brute force, down to no counts at all."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor

from invscore import GaussianPrior, InverseProblem, PoissonNoise, reconstruct
from invscore.noise import (
    Noise,
    PoissonGaussianNoise,
    RicianNoise,
    SpeckleNoise,
    TransmissionNoise,
)
from invscore.operators import Identity, Inpainting
from invscore.rng import SampleRNG

F64 = torch.float64


def column(values: object) -> Tensor:
    return torch.as_tensor(values, dtype=F64).reshape(-1, 1)


def support(noise: Noise, clean: float) -> tuple[Tensor, Tensor]:
    """Values that y may take, (n,), and how much of the line, or of a lattice, each stands for."""
    if isinstance(noise, TransmissionNoise):
        counts = torch.arange(400, dtype=F64)
        y = noise.line_integrals(counts)
        cell = 1 / (counts - noise.background).clamp_min(0.5)
        return y, cell * noise.unit
    if isinstance(noise, PoissonNoise) and not isinstance(noise, PoissonGaussianNoise):
        counts = torch.arange(400, dtype=F64)
        return (counts - noise.background) / noise.photons, torch.tensor(1 / noise.photons)
    spread = float(noise.variance(column(clean)).sqrt())
    low = clean - 12 * spread if isinstance(noise, PoissonGaussianNoise) else 0.0
    high = clean + (12 if isinstance(noise, RicianNoise) else 40) * spread
    y = torch.linspace(low, high, 40_001, dtype=F64)
    return y, y[1] - y[0]


LAWS = {
    "background": (PoissonNoise(10.0, background=3.0), (-0.2, 0.0, 1.3)),
    "read noise": (PoissonGaussianNoise(4.0, sigma=0.2), (0.01, 0.1, 2.0)),
    "little read noise": (PoissonGaussianNoise(4.0, sigma=0.05, background=0.5), (0.0, 0.7)),
    "rician": (RicianNoise(0.3), (0.0, 0.2, 2.0)),
    "speckle": (SpeckleNoise(3.0), (0.05, 1.5)),
    "transmission": (TransmissionNoise(30.0), (0.0, 2.0, 6.0)),
    "transmission, background": (TransmissionNoise(30.0, 4.0, unit=0.5), (0.0, 1.0, 3.0)),
}
CASES = [(name, clean) for name, (_, values) in LAWS.items() for clean in values]


@pytest.mark.parametrize(("name", "clean"), CASES)
def test_moments_are_those_of_the_density(name: str, clean: float) -> None:
    """It integrates to one; what is said of mean, variance, kurtosis and score fits it."""
    noise = LAWS[name][0]
    y, cell = support(noise, clean)
    at = torch.full((len(y), 1), clean, dtype=F64)
    density = noise.log_likelihood(y[:, None], at).exp() * cell
    tolerance = 2e-4 if name == "speckle" else 1e-6
    assert float(density.sum()) == pytest.approx(1, abs=tolerance)
    z = noise.standardised(y[:, None], at)[:, 0]
    assert float((density * z).sum()) == pytest.approx(0, abs=2e-3)
    assert float((density * z**2).sum()) == pytest.approx(1, abs=4e-3)
    excess = float(noise.kurtosis(column(clean)).expand(1, 1))
    assert float((density * z**4).sum()) - 3 == pytest.approx(excess, abs=0.02 * (4 + excess))
    score = noise.score(y[:, None], at)[:, 0]
    assert float((density * score).sum()) == pytest.approx(0, abs=1e-4)
    information = float((density * score**2).sum())
    working = noise.working(y[:, None], at)[:, 0]
    bound = float(noise.variance(column(clean))) * information
    if name in ("read noise", "little read noise"):  # a mean has less information than the law
        assert 1 - 1e-6 < bound < 4
    elif name == "rician" and clean < 0.3:
        assert bound < 1.001  # where dark pixels tell nothing of their sign
    elif not (name.startswith("transmission") and clean > 2.5):
        assert bound == pytest.approx(1, rel=2e-3)
        assert float((density * (working - clean)).sum()) == pytest.approx(0, abs=2e-3)


@pytest.mark.parametrize(
    ("photons", "sigma", "background"),
    [(1.0, 0.3, 0.0), (5.0, 0.02, 0.0), (3.0, 2.0, 1.5), (200.0, 0.02, 0.0), (1e4, 0.05, 10.0)],
)
@pytest.mark.parametrize("clean", [0.0, 0.02, 0.3, 3.0])
def test_the_sum_over_photons(
    photons: float, sigma: float, background: float, clean: float
) -> None:
    noise = PoissonGaussianNoise(photons, background=background, sigma=sigma)
    rate = max(photons * clean + background, 0.01 * math.exp(-1))
    k = np.arange(int(rate + 40 * math.sqrt(rate + 1) + 50))
    spread = float(noise.variance(column(clean)).sqrt())
    for away in (-2.0, 0.0, 1.5, 6.0):
        y = clean + away * spread
        read = stats.norm.pdf(y, (k - background) / photons, sigma)
        parts = stats.poisson.pmf(k, rate) * read
        if parts.sum() < 1e-290:
            continue
        found = float(noise.log_likelihood(column(y), column(clean)))
        assert found == pytest.approx(math.log(parts.sum()), abs=1e-8)
        mean = float((parts * k).sum() / parts.sum())
        slope = photons * (mean - rate) / max(photons * clean + background, 0.01)
        assert float(noise.score(column(y), column(clean))) == pytest.approx(
            slope, 1e-6, 1e-7 * photons
        )


@pytest.mark.parametrize("name", LAWS)
def test_samples_follow_their_law(name: str) -> None:
    noise, values = LAWS[name]
    n, clean = 50_000, values[-1]
    at = torch.full((1, n), clean, dtype=F64)
    z = noise.standardised(noise.sample(at, SampleRNG([(0,)])), at)
    excess = float(noise.kurtosis(column(clean)).expand(1, 1))
    assert abs(float(z.mean())) < 4.5 / n**0.5
    assert abs(float(z.square().mean()) - 1) < 4.5 * ((2 + excess) / n) ** 0.5


@pytest.mark.parametrize("name", [n for n in LAWS if n != "speckle"])
def test_a_chain_follows_the_posterior(name: str) -> None:
    """2,000 independent pixels have the mean and deviation that quadrature gives for one."""
    noise, size = LAWS[name][0], 2000
    y = {"rician": 0.4, "transmission": 3.0}.get(name, 0.5)
    prior = GaussianPrior(torch.full((size,), 0.6, dtype=F64), 0.04)
    problem = InverseProblem(Identity((size,)), torch.full((1, size), y, dtype=F64), noise)
    result = reconstruct(problem, prior, method="ula", steps=600, scale=1.0)
    axis = torch.linspace(-1.5, 3.0, 10_001, dtype=F64)
    log = noise.log_likelihood(torch.full_like(axis, y)[:, None], axis[:, None])
    weight = (log - (axis - 0.6) ** 2 / (2 * 0.04)).softmax(dim=0)
    mean = float((weight * axis).sum())
    deviation = float((weight * (axis - mean) ** 2).sum() ** 0.5)
    drawn = result.samples.flatten()
    assert float(drawn.mean()) == pytest.approx(mean, abs=5 * deviation / size**0.5 + 0.01)
    assert float(drawn.std()) == pytest.approx(deviation, rel=0.12)


def test_counts_are_kept_by_the_logarithm() -> None:
    for noise in (TransmissionNoise(50.0), TransmissionNoise(50.0, 7.0, unit=3.0)):
        counts = torch.arange(200, dtype=F64)
        y = noise.line_integrals(counts)
        torch.testing.assert_close(noise.counts(y), counts)
        assert bool((y.diff() < 0).all())
        many = counts > noise.background + 1
        expected = -((counts - noise.background) / 50).log() * noise.unit
        torch.testing.assert_close(y[many], expected[many])


def test_maps_belong_to_their_numbers() -> None:
    """A law with maps behind a mask is that of the numbers that are left."""
    beam = torch.tensor([[10.0, 100.0], [1000.0, 1e4]], dtype=F64)
    mask = torch.tensor([[True, False], [False, True]])
    noise = TransmissionNoise(beam, 0.1 * beam)
    x = torch.full((1, 1, 2, 2), 0.7, dtype=F64)
    y = noise.sample(x, SampleRNG([(0,)]))
    problem = InverseProblem(Inpainting(mask, (1, 2, 2)), y, noise)
    left = [TransmissionNoise(float(b), 0.1 * float(b)) for b in beam[mask]]
    expected = sum(
        law.log_likelihood(v.reshape(1, 1), column(0.7))
        for law, v in zip(left, y[0, 0][mask], strict=True)
    )
    torch.testing.assert_close(problem.log_likelihood(x), expected)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: PoissonNoise(3.0, background=-1.0), "`background` must be counts from 0, got -1"),
        (lambda: PoissonGaussianNoise(3.0, sigma=0.0), "`sigma` must be a positive number, got 0"),
        (lambda: RicianNoise(math.inf), "`sigma` must be a positive number, got inf"),
        (lambda: SpeckleNoise(-1.0), "`looks` must be a positive number, got -1"),
        (
            lambda: TransmissionNoise(torch.tensor([1.0, 0.0])),
            "`photons` must be a positive number, got as low as 0",
        ),
        (
            lambda: InverseProblem(Identity((2,)), -torch.ones(1, 2), RicianNoise(0.1)),
            "not negative for Rician noise, got as low as -1",
        ),
        (
            lambda: InverseProblem(Identity((2,)), -torch.ones(1, 2), SpeckleNoise(1.0)),
            "not negative for speckle, got as low as -1",
        ),
        (
            lambda: InverseProblem(
                Identity((2,)), -torch.ones(1, 2), PoissonNoise(2.0, background=1.0)
            ),
            "once the background is added, not negative for Poisson noise, got as low as -1",
        ),
    ],
)
def test_wrong_laws(make: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()  # type: ignore[operator]
