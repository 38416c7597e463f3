"""Laws of increments and their latent variances."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from invscore.bench.posterior.levy_laws import LAWS, Law

F64 = torch.float64
JUMPING = [law for law in LAWS.values() if law.jumps == 1]


@pytest.mark.parametrize("law", JUMPING)
def test_densities_are_those_of_the_samples(law: Law) -> None:
    """The integral of the density up to some points is the share of samples below them."""
    grid = torch.linspace(-400, 400, 800_001, dtype=F64)
    mass = law.log_density(grid).exp().cumsum(dim=0) * 1e-3
    n = 20_000
    u = law.sample((n,), np.random.default_rng(0))
    for point in (-2.0, -0.3, 0.0, 0.5, 1.5):
        below = float(mass[torch.searchsorted(grid, point)])
        share = float((u < point).double().mean())
        assert abs(share - below) < 4.5 * math.sqrt(below * (1 - below) / n) + 2e-3


@pytest.mark.parametrize("law", [LAWS[name] for name in ("gauss", "laplace", "student3")])
def test_variances_are_integrals(law: Law) -> None:
    grid = torch.linspace(-4000, 4000, 4_000_001, dtype=F64)
    integral = float((grid**2 * law.log_density(grid).exp()).sum()) * 2e-3
    assert integral == pytest.approx(law.variance, rel=2e-3)
    assert math.isinf(LAWS["student2"].variance)


def test_jumps_are_rare() -> None:
    law = LAWS["bernoulli"]
    u = law.sample((40_000,), np.random.default_rng(0))
    assert float((u != 0).double().mean()) == pytest.approx(law.jumps, abs=4.5 * 0.3 / 200)
    assert float(u.square().mean()) == pytest.approx(law.variance, rel=0.1)
    assert law.variance == pytest.approx(0.2)
    density = law.log_density(torch.tensor([0.0, 1.0], dtype=F64)).exp()
    torch.testing.assert_close(density, torch.tensor([0.9, 0.05 / math.e], dtype=F64))


@pytest.mark.parametrize("law", JUMPING)
def test_variances_given_increments_keep_the_law(law: Law) -> None:
    """From u of the law, w given u and then u given w: again of the law (Geweke 2004)."""
    random = np.random.default_rng(1)
    u = law.sample((40_000,), random)
    again = law.latent(u, law.noise(tuple(u.shape), random)).sqrt()
    again = again * torch.from_numpy(random.standard_normal(u.shape))
    for point in (0.2, 0.7, 2.0):
        p, q = (float((v.abs() < point).double().mean()) for v in (u, again))
        assert abs(p - q) < 4.5 * math.sqrt(2 * p * (1 - p) / len(u))


@pytest.mark.parametrize(("name", "inverse"), [("laplace", 1.0), ("student2", 3 / 2.49)])
def test_the_mean_of_the_precision_given_an_increment(name: str, inverse: float) -> None:
    """Of 1 / w: ``1 / |u|`` for Laplace's and ``(nu + 1) / (nu + u^2)`` for Student's."""
    law, u = LAWS[name], torch.full((40_000,), 0.7, dtype=F64)
    w = law.latent(u, law.noise(tuple(u.shape), np.random.default_rng(2)))
    expected = 1 / 0.7 if name == "laplace" else inverse
    spread = float((1 / w).std()) / math.sqrt(len(u))
    assert abs(float((1 / w).mean()) - expected) < 4.5 * spread


def test_variances_where_nothing_jumped() -> None:
    law, still = LAWS["bernoulli"], torch.zeros(40_000, dtype=F64)
    fresh = law.latent(still, law.noise(tuple(still.shape), np.random.default_rng(3)))
    assert float(fresh.mean()) == pytest.approx(2.0, abs=4.5 * 2 / 200)
    laplace = LAWS["laplace"]
    w = laplace.latent(still, laplace.noise(tuple(still.shape), np.random.default_rng(4)))
    assert float(w.mean()) == pytest.approx(1.0, abs=4.5 * math.sqrt(2) / 200)  # chi-squared
