"""What methods say of their laws, at their defaults: on Gaussian priors, in double precision and
without chance; by statistics where steps are not affine or the prior is a mixture.

Each number is an eigenvalue of the result's covariance over the posterior's: 1 in every direction
where a law is the posterior's.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor

from invscore import levels, reconstruct
from invscore.exact import exact_posterior
from invscore.likelihood import GaussianNoise, InverseProblem
from invscore.methods import METHODS
from invscore.methods.common.initial_guess import Initial, initial_guess
from invscore.operators import from_matrix
from invscore.priors import GaussianMixturePrior, GaussianPrior
from invscore.rng import SampleRNG

F64 = torch.float64
A = torch.tensor([[1.0, 0.5, 0.0], [0.0, 0.3, -0.8]], dtype=F64)
Y = torch.tensor([0.9, -0.4], dtype=F64)
MEAN = torch.tensor([0.5, -0.2, 0.1], dtype=F64)
COVARIANCE = torch.tensor([[0.6, 0.3, 0.0], [0.3, 0.5, -0.1], [0.0, -0.1, 0.4]], dtype=F64)
WHITE, CORRELATED = GaussianPrior(MEAN, 0.5), GaussianPrior(MEAN, COVARIANCE)

LawOf = Callable[..., tuple[Tensor, Tensor]]


def task(s: float) -> InverseProblem:
    return InverseProblem(from_matrix(A), Y[None], GaussianNoise(s))


def against_the_posterior(
    law: LawOf, name: str, s: float, prior: GaussianPrior, **options: Any
) -> tuple[float, Tensor]:
    """How far the mean is off, in deviations, and the variances over the posterior's, sorted."""
    mean, covariance = law(name, task(s), prior, **options)
    posterior = exact_posterior(task(s), prior)
    inverse = torch.linalg.inv(torch.linalg.cholesky(posterior.covariance))
    away = inverse @ (mean - posterior.mean)
    return float(away.abs().max()), torch.linalg.eigvalsh(inverse @ covariance @ inverse.T)


@pytest.mark.parametrize("s", [0.05, 0.2, 0.5])
def test_langevin_has_the_posteriors_law(s: float, law: LawOf) -> None:
    """With Euler's noise in place of the mean of two it had 0.80 of the variance."""
    away, ratios = against_the_posterior(law, "langevin", s, CORRELATED)
    assert away < 0.03
    assert ratios[0] > 0.98
    assert ratios[-1] < 1.04


@pytest.mark.parametrize(("s", "most"), [(0.05, 1.25), (0.2, 1.05), (0.5, 1.04)])
def test_ula_spreads_a_little_too_much(s: float, most: float, law: LawOf) -> None:
    """By its step, which follows the smoothed prior and the noise: the more the smaller s is."""
    away, ratios = against_the_posterior(law, "ula", s, CORRELATED)
    assert away < 0.01
    assert ratios[0] > 1.0
    assert most - 0.05 < ratios[-1] < most


@pytest.mark.parametrize("s", [0.05, 0.2, 0.5])
def test_split_gibbs_has_more_noise_and_few_denoising_steps(s: float, law: LawOf) -> None:
    """The posterior under the noise ``s^2 I + rho_min^2 A A^T``, 0.83 to 0.89 of its variance."""
    rho = 0.6 * CORRELATED.variance**0.5
    noise = s**2 * torch.eye(2, dtype=F64) + rho**2 * A @ A.T
    gain = COVARIANCE @ A.T @ torch.linalg.inv(A @ COVARIANCE @ A.T + noise)
    inverse = torch.linalg.inv(torch.linalg.cholesky(COVARIANCE - gain @ A @ COVARIANCE))
    mean, covariance = law("split_gibbs", task(s), CORRELATED)
    assert (inverse @ (mean - MEAN - gain @ (Y - A @ MEAN))).abs().max() < 1e-9
    ratios = torch.linalg.eigvalsh(inverse @ covariance @ inverse.T)
    assert ratios[0] > 0.82
    assert ratios[-1] < 0.90


PARTS = torch.stack([0.3 * COVARIANCE, 0.5 * COVARIANCE])
SHARES = torch.tensor([0.35, 0.65], dtype=F64)
PRIORS: dict[str, GaussianPrior | GaussianMixturePrior] = {
    "gaussian": CORRELATED,
    "mixture": GaussianMixturePrior(torch.stack([MEAN - 0.4, MEAN + 0.5]), PARTS, SHARES),
}


@pytest.mark.parametrize("prior", PRIORS)
def test_mala_has_the_posteriors_law(prior: str, one_stream: Any) -> None:
    """Means, variances and distribution functions along the axes of the posterior's covariance."""
    law, info, count = PRIORS[prior], METHODS["mala"], 1500
    copies = task(0.3).select(torch.zeros(count, dtype=torch.long))
    *_, last = info.run(copies, law, one_stream(0), **info.options({}))
    exact = exact_posterior(task(0.3), law).sample(200_000, 1).reshape(-1, 3)
    inverse = torch.linalg.inv(torch.linalg.cholesky(torch.cov(exact.T)))
    found, true = (inverse @ (x - exact.mean(dim=0)).T for x in (last.x, exact))
    assert found.mean(dim=1).abs().max() < 4 / count**0.5
    assert (torch.cov(found) - torch.eye(3, dtype=F64)).abs().max() < 4 * (2 / count) ** 0.5
    for one, other in zip(found.sort(dim=1).values, true.sort(dim=1).values, strict=True):
        below = torch.searchsorted(other, one).double() / len(other)
        steps = torch.arange(count, dtype=F64) / count
        assert (below - steps).abs().max() < 1.8 / count**0.5  # 0.3 % of the time beyond


@pytest.mark.parametrize("prior", PRIORS)
def test_smc_has_the_posteriors_law(prior: str) -> None:
    """Of eight sets of particles, which err together, and are judged by how they differ."""
    law, sets, size = PRIORS[prior], 8, METHODS["smc"].options({})["particles"]
    x = reconstruct(task(0.3), law, method="smc", samples=sets * size).samples[:, 0]
    exact = exact_posterior(task(0.3), law).sample(100_000, 1).reshape(-1, 3)
    inverse = torch.linalg.inv(torch.linalg.cholesky(torch.cov(exact.T)))
    found = (x - exact.mean(dim=0)) @ inverse.T
    means = found.reshape(sets, size, 3).mean(dim=1)
    assert (means.mean(dim=0).abs() < 5 * means.std(dim=0) / sets**0.5).all()  # Student's, of 7
    assert means.std(dim=0).max() < 0.3  # of 100 independent ones 0.1
    ratios = torch.linalg.eigvalsh(torch.cov(found.T))
    assert ratios[0] > 0.8
    assert ratios[-1] < 1.25


@pytest.mark.parametrize("step_size", [0.25, 3.0])
def test_langevin_keeps_gaussians_at_any_step(step_size: float, law: LawOf) -> None:
    options = {"step_size": step_size, "steps": 150, "per_level": 8, "sigma_min": 0.01}
    away, ratios = against_the_posterior(law, "langevin", 0.3, CORRELATED, **options)
    assert away < 0.02
    assert (ratios - 1).abs().max() < 0.03


@pytest.mark.parametrize("s", [0.05, 0.2, 0.5])
@pytest.mark.parametrize("prior", [WHITE, CORRELATED])
def test_pigdm_fits_what_is_measured_again_and_again(
    s: float, prior: GaussianPrior, law: LawOf
) -> None:
    """Two directions are measured and nearly without spread; the third is the prior's."""
    _, ratios = against_the_posterior(law, "pigdm", s, prior)
    assert ratios[1] < 0.011
    assert 0.92 < ratios[2] < 0.95
    _, more = against_the_posterior(law, "pigdm", s, prior, steps=400)
    assert more[1] < 0.8 * ratios[1]


@pytest.mark.parametrize(("s", "least"), [(0.05, 0.59), (0.2, 0.79), (0.5, 0.86)])
@pytest.mark.parametrize("name", ["mmps", "pigdm"])
def test_guided_scores_spread_too_little_at_the_defaults(
    name: str, s: float, least: float, law: LawOf
) -> None:
    """Of a hundred steps from four deviations: their laws are limits of both."""
    prior, options = (WHITE, {"guidance": "score"}) if name == "pigdm" else (CORRELATED, {})
    away, ratios = against_the_posterior(law, name, s, prior, **options)
    assert away < 0.005
    assert least < ratios[0] < least + 0.07
    assert 0.92 < ratios[-1] < 0.95


@pytest.mark.parametrize("given", [None, 0.3])
@pytest.mark.parametrize("initial", ["guess", "noise"])
def test_pigdm_is_its_papers_algorithm(given: float | None, initial: Initial) -> None:
    """Song et al. 2023, Algorithm 1 in its own coordinates, ``x_t = sqrt(a_t) (x0 + sigma n)``.

    ``x_s = sqrt(a_s) x0 + c_1 n + c_2 e + sqrt(a_s a_t) r^2 g`` with the estimate x0 of the clean
    image, ``e = (x_t - sqrt(a_t) x0) / sqrt(1 - a_t)``, ``c_1 = 0.2 sqrt((1 - a_t / a_s)
    (1 - a_s) / (1 - a_t))``, ``c_2 = sqrt(1 - a_s - c_1^2)`` and
    ``g = (dx0 / dx_t)^T A^T (r^2 A A^T + s^2 I)^-1 (y - A x0)``.
    """
    s, steps = 0.2, 6
    options = METHODS["pigdm"].options(
        {"steps": steps, "prior_variance": given, "initial": initial}
    )
    rng = SampleRNG([(0, 0), (0, 1)])
    tasks = task(s).select(torch.zeros(2, dtype=torch.long))
    states = list(METHODS["pigdm"].run(tasks, CORRELATED, rng, **options))

    v = given or CORRELATED.variance
    high = (4 if initial == "guess" else 20) * CORRELATED.variance**0.5
    sigmas = levels.ddpm(steps, CORRELATED, high)
    assert [state.sigma for state in states] == sigmas[1:]
    rng = SampleRNG([(0, 0), (0, 1)])
    x = initial_guess(tasks, CORRELATED, sigmas[0], rng, initial) / (1 + sigmas[0] ** 2) ** 0.5
    for now, then in pairwise(sigmas):
        a_t, a_s = 1 / (1 + now**2), 1 / (1 + then**2)
        noisy = a_t * COVARIANCE + (1 - a_t) * torch.eye(3, dtype=F64)
        score = torch.linalg.solve(noisy, (a_t**0.5 * MEAN - x).T).T
        x0 = (x + (1 - a_t) * score) / a_t**0.5
        slope = a_t**0.5 * COVARIANCE @ torch.linalg.inv(noisy)
        r2 = v * now**2 / (v + now**2)
        gram = r2 * A @ A.T + s**2 * torch.eye(2, dtype=F64)
        g = torch.linalg.solve(gram, (Y - x0 @ A.T).T).T @ A @ slope
        c_1 = 0.2 * ((1 - a_t / a_s) * (1 - a_s) / (1 - a_t)) ** 0.5
        c_2 = (1 - a_s - c_1**2) ** 0.5
        e = (x - a_t**0.5 * x0) / (1 - a_t) ** 0.5
        fresh = rng.normal_like(x) if then > 0 else torch.zeros_like(x)
        x = a_s**0.5 * x0 + c_1 * fresh + c_2 * e + (a_s * a_t) ** 0.5 * r2 * g
    torch.testing.assert_close(states[-1].x, x, rtol=1e-9, atol=1e-9)


def test_another_sampler_needs_the_score() -> None:
    info = METHODS["pigdm"]
    with pytest.raises(ValueError, match="`sampler` must be 'ddim' with guidance 'step'"):
        next(info.run(task(0.2), WHITE, SampleRNG([(0,)]), sampler="heun"))
