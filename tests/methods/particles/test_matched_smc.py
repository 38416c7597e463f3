"""Moment-matched sequential Monte Carlo: Gaussians in closed form, weights by quadrature."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import pytest
import torch
from torch import Tensor

from invscore import reconstruct
from invscore.batches import PerImage
from invscore.exact import exact_posterior
from invscore.likelihood import GaussianNoise, InverseProblem, Noise, PoissonNoise
from invscore.methods.auto import resolve
from invscore.methods.particles.local_gaussian import LocalGaussian, look
from invscore.methods.particles.low_rank import LowRank
from invscore.methods.particles.matched_smc import covariance_given, covariance_of_all
from invscore.operators import Identity, Inpainting, from_function, from_matrix
from invscore.priors import (
    GaussianMixturePrior,
    GaussianPrior,
    Prior,
    StationaryGaussianPrior,
)

F64 = torch.float64
MATCHED_SMC = import_module("invscore.methods.particles.matched_smc")
A = torch.tensor([[1.0, 0.5, 0.0], [0.0, 0.3, -0.8]], dtype=F64)
Y = torch.tensor([[0.9, -0.4]], dtype=F64)
MEAN = torch.tensor([0.5, -0.2, 0.1], dtype=F64)
COVARIANCE = torch.tensor([[0.6, 0.3, 0.0], [0.3, 0.5, -0.1], [0.0, -0.1, 0.4]], dtype=F64)
PROBLEM = InverseProblem(from_matrix(A), Y, GaussianNoise(0.2))
PARTICLES = 2000


def draw(problem: InverseProblem, prior: Prior, **options: Any) -> Tensor:
    chosen = {"samples": PARTICLES, "particles": PARTICLES, "at_once": PARTICLES, **options}
    return reconstruct(problem, prior, method="matched_smc", **chosen).samples[:, 0]


def random_basis(k: int, n: int) -> Tensor:
    generator = torch.Generator().manual_seed(5)
    return torch.linalg.qr(torch.randn(n, k, generator=generator, dtype=F64)).Q.mT[None]


def test_low_rank_is_exact_where_the_matrix_is() -> None:
    """0.3 I and three directions, from products with four vectors; functions of it too."""
    n, values = 7, torch.tensor([0.2, 1.5, 4.0], dtype=F64)
    axes = torch.linalg.qr(torch.arange(21.0, dtype=F64).reshape(n, 3).sin()).Q
    matrix = 0.3 * torch.eye(n, dtype=F64) + axes * values @ axes.T
    basis = random_basis(4, n)
    found = LowRank.of(basis @ matrix, basis)
    v = torch.linspace(-1, 2, n, dtype=F64)[None]
    torch.testing.assert_close(found.apply(lambda j: j, v), v @ matrix)
    root = found.apply(torch.sqrt, v)
    torch.testing.assert_close(found.apply(torch.sqrt, root), v @ matrix)
    torch.testing.assert_close(
        found.between(lambda j: 1 / j, basis), basis @ torch.linalg.inv(matrix) @ basis.mT
    )
    torch.testing.assert_close(found.largest(lambda j: j)[0], torch.linalg.eigvalsh(matrix)[-1])


def test_low_rank_agrees_with_its_products() -> None:
    factor = torch.arange(49.0, dtype=F64).reshape(7, 7).cos()
    matrix, basis = factor @ factor.T + torch.eye(7, dtype=F64), random_basis(3, 7)
    found = LowRank.of(basis @ matrix, basis)
    for u, product in zip(basis[0], (basis @ matrix)[0], strict=True):
        torch.testing.assert_close(found.apply(lambda j: j, u[None])[0], product)


def local() -> tuple[LocalGaussian, Tensor]:
    """A Gaussian whose C is 2 J, and J."""
    j, basis = COVARIANCE, random_basis(3, 3)
    jacobian = LowRank.of(basis @ j, basis)
    return LocalGaussian(MEAN[None], jacobian, A[None], Y, torch.full_like(Y, 0.04)), j


def test_evidence() -> None:
    given, j = local()
    matrix, residual = 2 * A @ j @ A.T + 0.04 * torch.eye(2, dtype=F64), Y[0] - A @ MEAN
    expected = -0.5 * (residual @ torch.linalg.inv(matrix) @ residual + torch.logdet(matrix))
    torch.testing.assert_close(given.evidence(lambda v: 2 * v, given.mean)[0], expected)


def test_draws_are_of_the_posterior() -> None:
    """The mean and the covariance of draws, which are affine in the noise, without chance."""
    given, j = local()
    posterior = exact_posterior(PROBLEM, GaussianPrior(MEAN, 2 * j))
    units = torch.eye(5, dtype=F64)

    def drawn(numbers: Tensor) -> Tensor:
        return given.draw(lambda v: 2 * v, numbers[None, :3], numbers[None, 3:])[0]

    centre = drawn(torch.zeros(5, dtype=F64))
    torch.testing.assert_close(centre, posterior.mean)
    reach = torch.stack([drawn(unit) - centre for unit in units])
    torch.testing.assert_close(reach.T @ reach, posterior.covariance)


def test_expected_evidence_has_the_right_mean() -> None:
    """``int p(x' | x) p(y | x', x) dx' = p(y | x)``: by quadrature in one dimension."""
    j, c, share, lower = 0.7, 1.3, 0.4, 0.9
    one = torch.ones(1, 1, dtype=F64)
    jacobian = LowRank.of(j * one[None], one[None])
    given = LocalGaussian(0.2 * one, jacobian, 1.5 * one[None], 2.0 * one, 0.3 * one)
    away = torch.linspace(-15, 15, 20001, dtype=F64)[:, None]
    spread = share**2 * c * j + lower**2 * share
    density = (-0.5 * away[:, 0] ** 2 / spread).exp() / (2 * torch.pi * spread) ** 0.5
    many = given.select(torch.zeros(len(away), dtype=torch.long))
    ahead = many.ahead(lambda v: c * v, share, lower, away).exp()
    total = (density * ahead).sum() * (away[1, 0] - away[0, 0])
    torch.testing.assert_close(total, given.evidence(lambda v: c * v, given.mean).exp()[0])


def test_gaussians_hold_no_surprise() -> None:
    """What is expected of the next level is what is found there, log-determinant included."""
    prior, sigma, lower = GaussianPrior(MEAN, COVARIANCE), 1.5, 0.6
    x = torch.tensor([[0.3, 1.1, -0.6]], dtype=F64)
    here = look(PROBLEM, prior, x, sigma, 2, covariance_given(sigma))
    share = 1 - (lower / sigma) ** 2
    away = torch.tensor([[0.2, -0.4, 0.3]], dtype=F64)
    spectrum = covariance_given(lower)
    below = look(PROBLEM, prior, x + share * (here.mean - x) + away, lower, 2, spectrum)
    expected = here.ahead(lambda j: sigma**2 * j, share, lower, away)
    torch.testing.assert_close(below.evidence(lambda j: lower**2 * j, below.mean), expected)


@pytest.mark.parametrize("steps", [1, 2, 6])
def test_gaussian_prior_in_any_number_of_steps(steps: int) -> None:
    prior = GaussianPrior(MEAN, COVARIANCE)
    x, posterior = draw(PROBLEM, prior, steps=steps), exact_posterior(PROBLEM, prior)
    deviations = posterior.covariance.diagonal().sqrt()
    assert ((x.mean(dim=0) - posterior.mean).abs() < 4.5 / PARTICLES**0.5 * deviations).all()
    difference = (torch.cov(x.T) - posterior.covariance) / (deviations[:, None] * deviations)
    assert (difference.abs() < 4.5 * (2 / PARTICLES) ** 0.5).all()
    assert len(torch.unique(x, dim=0)) == PARTICLES


def test_weights_tell_of_what_is_not_gaussian() -> None:
    """A Gaussian prior leaves the weights even; a second mode, far from all particles, does not."""
    options: dict[str, Any] = {"method": "matched_smc", "samples": 4, "particles": 50, "steps": 6}
    alone = reconstruct(PROBLEM, GaussianPrior(MEAN, COVARIANCE), **options)
    assert alone.trace["effective_sample_size"] == pytest.approx([50] * 6, rel=1e-6)
    both = GaussianMixturePrior(torch.stack([MEAN, MEAN + 20]), COVARIANCE.expand(2, -1, -1))
    found = reconstruct(PROBLEM, both, **options).trace["effective_sample_size"]
    assert 1 <= min(found) < 45


def test_particles_keep_what_tempering_leaves_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights that each step raises by a slope, and half of which count at once, add up."""
    slope, seen = torch.linspace(0, 3, 4, dtype=F64), []

    def half(log_weights: Tensor, evenness: float) -> Tensor:
        seen.append(log_weights[0])
        return evenness * log_weights

    def all_survive(even: Tensor, *_: Tensor | float) -> tuple[Tensor, Tensor]:
        return torch.arange(4).expand(even.shape), even

    monkeypatch.setattr(MATCHED_SMC, "tempered", half)
    monkeypatch.setattr(MATCHED_SMC, "survivors", all_survive)
    monkeypatch.setattr(LocalGaussian, "evidence", lambda *_: slope)
    monkeypatch.setattr(LocalGaussian, "ahead", lambda *_: torch.zeros_like(slope))
    draw(PROBLEM, GaussianPrior(MEAN, COVARIANCE), steps=4, samples=4, particles=4, evenness=0.5)
    assert len(seen) == 4  # three steps with weights, and the end
    for number, found in enumerate(seen[:3], 1):
        torch.testing.assert_close(found, number * slope)


@pytest.mark.parametrize("steps", [12, 60])
def test_weights_of_modes(steps: int) -> None:
    """Four modes seen by one number, with which one does not agree; all weights correct a lot."""
    means = torch.tensor([[6.0, 0.0], [-6.0, 0.0], [0.0, 6.0], [0.0, -6.0]], dtype=F64)
    prior = GaussianMixturePrior(means, 0.5, torch.tensor([0.5, 0.2, 0.2, 0.1], dtype=F64))
    operator = from_matrix(torch.tensor([[0.1, 0.25]], dtype=F64))
    problem = InverseProblem(operator, torch.tensor([[0.5]], dtype=F64), GaussianNoise(0.5))
    x, posterior = draw(problem, prior, steps=steps, seed=4), exact_posterior(problem, prior)
    found = posterior.responsibilities(x, 0.0).mean(dim=0)
    # A third of the particles are independent.
    errors = (posterior.weights * (1 - posterior.weights) / (PARTICLES / 3)).sqrt()
    assert ((found - posterior.weights).abs() < 4 * errors + 0.002).all(), (
        found,
        posterior.weights,
    )


@pytest.mark.parametrize("noise", [GaussianNoise(0.3), PoissonNoise(12.0)])
def test_nonlinear_problems(noise: Noise) -> None:
    bend = from_function(lambda x: x**2 + 0.5 * x + 0.3, (1,), linear=False)
    prior = GaussianPrior(torch.full((1,), 0.2, dtype=F64), 0.4)
    problem = InverseProblem(bend, torch.full((1, 1), 1.0, dtype=F64), noise)
    x = draw(problem, prior, steps=40)
    grid = torch.linspace(-4, 4, 4001, dtype=F64)[:, None]
    likelihood = problem.select(torch.zeros(4001, dtype=torch.long)).log_likelihood(grid)
    below = (likelihood + prior.log_prob(grid)).softmax(dim=0).cumsum(0)
    for point in (0, 1200, 1900, 2150, 2350):
        found = (x[:, 0] <= grid[point, 0]).double().mean()
        assert abs(found - below[point]) < 0.06, float(grid[point, 0])


@pytest.mark.parametrize(("linear", "most"), [(True, 1024), (False, 256)])
def test_too_many_numbers_are_refused(linear: bool, most: int) -> None:
    def problem(numbers: int) -> InverseProblem:
        y = torch.zeros(1, numbers, dtype=F64)
        bend = from_function(lambda x: x + 0.1 * x**2, (numbers,), linear=False)
        return InverseProblem(Identity((numbers,)) if linear else bend, y, GaussianNoise(0.1))

    def prior(numbers: int) -> Prior:
        return GaussianPrior(torch.zeros(numbers, dtype=F64), 1.0)

    options: dict[str, Any] = {"samples": 1, "steps": 1, "particles": 1, "at_once": 1}
    draw(problem(most), prior(most), **options)
    with pytest.raises(ValueError, match=f"at most {most} measured.*, got {most + 1}"):
        draw(problem(most + 1), prior(most + 1), **options)


@pytest.mark.parametrize(
    ("numbers", "linear", "taken"),
    [
        (64, True, "matched_smc"),
        (64, False, "matched_smc"),
        (65, True, "matched_smc"),
        (65, False, "matched_pixels"),
    ],
)
def test_auto(numbers: int, linear: bool, taken: str) -> None:
    y = torch.ones(1, numbers, dtype=F64)
    bend = from_function(lambda x: x + 0.1 * x**2, (numbers,), linear=False)
    problem = InverseProblem(Identity((numbers,)) if linear else bend, y, GaussianNoise(0.1))
    prior = GaussianPrior(y[0], 1.0)
    prior.noise_kinds = frozenset()  # else it would be `exact_score`
    options: dict[str, Any] = {"samples": 2, "seed": 6, "steps": 3, "batch_size": 1}
    own = {"particles": 4} if taken == "matched_smc" else {}
    own |= {"directions": 12} if linear and own else {}  # 16 would see all of J
    expected = reconstruct(problem, prior, method=taken, **options, **own)
    found = reconstruct(problem, prior, method="auto", **options, particles=4)
    assert torch.equal(found.samples, expected.samples)
    assert found.evaluations == expected.evaluations  # one particle set, whatever the batch


def test_auto_counts_the_unknown_too() -> None:
    """Eighty repeats of one number are no more than one, to 256 of them."""
    for repeats, taken in ((80, "matched_smc"), (256, "matched_smc"), (257, "matched_pixels")):
        bend = from_function(lambda x, n=repeats: x.exp().expand(-1, n), (1,), linear=False)
        problem = InverseProblem(bend, torch.ones(1, repeats, dtype=F64), GaussianNoise(0.1))
        prior = GaussianPrior(torch.zeros(1, dtype=F64), 1.0)
        assert resolve(problem, prior, {"steps": None, "particles": 4})[0].name == taken


def test_a_network_of_a_nonlinear_operator_gets_matched_spectrum() -> None:
    bend = from_function(lambda x: x + 0.1 * x**2, (65,), linear=False)
    problem = InverseProblem(bend, torch.ones(1, 65, dtype=F64), GaussianNoise(0.1))
    prior = GaussianPrior(torch.ones(65, dtype=F64), 1.0)
    prior.sigma_max = 80.0
    info, own = resolve(problem, prior, {"steps": None, "particles": 4})
    assert (info.name, own["spread"]) == ("matched_spectrum", "local")


class OutsideTorch(GaussianPrior):
    """A denoiser that computes in NumPy, and whose derivatives nobody knows."""

    def denoise(self, x: Tensor, sigma: PerImage) -> Tensor:
        return torch.from_numpy(super().denoise(x.detach(), sigma).numpy())

    pullback = Prior.pullback


def test_a_prior_without_derivatives_gets_matched_spectrum_behind_a_nonlinear_operator() -> None:
    bend = from_function(lambda x: x + 0.1 * x**2, (65,), linear=False)
    problem = InverseProblem(bend, torch.ones(1, 65, dtype=F64), GaussianNoise(0.1))
    result = reconstruct(problem, OutsideTorch(torch.ones(65, dtype=F64), 1.0), steps=3, samples=1)
    assert result.method == "matched_spectrum"


def test_the_covariance_of_all_images_is_that_of_a_gaussian_prior() -> None:
    """``J = C (C + sigma^2)^-1``, and C is wanted, even where it is a tenth of the noise."""
    c, sigma = torch.tensor([0.01, 2.0, 40.0], dtype=F64), 20.0
    torch.testing.assert_close(covariance_of_all(sigma)(c / (c + sigma**2)), c)


def test_few_numbers_of_a_large_image() -> None:
    """No matrix of the size of the image: 256 x 256 pixels would need 34 GB."""
    shape = (1, 256, 256)
    prior = StationaryGaussianPrior.power_law(shape)
    mask = torch.zeros(shape, dtype=torch.bool)
    mask[0, 100, [20, 200]] = True
    operator = Inpainting(mask, shape)
    y = operator(torch.ones(1, *shape))
    problem = InverseProblem(operator, y, GaussianNoise(0.01))
    options: dict[str, Any] = {"steps": 3, "particles": 2, "directions": 1}
    x = reconstruct(problem, prior, method="matched_smc", samples=2, **options).samples
    torch.testing.assert_close(operator(x[:, 0]), y.expand(2, -1, -1, -1), rtol=0, atol=0.06)
