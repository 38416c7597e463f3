"""MCG and RED-diff against their papers' algorithm boxes, and what they share with others on
operators that are not linear."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch import Tensor

from invscore import levels
from invscore.likelihood import GaussianNoise, InverseProblem, Noise, PoissonNoise
from invscore.methods import METHODS
from invscore.methods.common.conditioned import matched_gradient
from invscore.methods.common.data_consistency import replacement
from invscore.methods.common.initial_guess import initial_guess
from invscore.operators import from_function, from_matrix
from invscore.priors import GaussianPrior
from invscore.rng import SampleRNG

F64 = torch.float64
A = torch.tensor([[1.0, 0.5, 0.0], [0.0, 0.3, -0.8]], dtype=F64)
Y = torch.tensor([0.9, -0.4], dtype=F64)
S = 0.2
EYE = torch.eye(3, dtype=F64)
MEAN = torch.tensor([0.5, -0.2, 0.1], dtype=F64)
COVARIANCE = torch.tensor([[0.6, 0.3, 0.0], [0.3, 0.5, -0.1], [0.0, -0.1, 0.4]], dtype=F64)
# An operator that bends, its value and its Jacobian at a point.
BEND = from_function(lambda x: (x + 0.5 * x**2) @ A.T, (3,), (2,), linear=False)
POINT = torch.tensor([[0.9, 0.2, -0.6]], dtype=F64)
TANGENT = A @ torch.diag(1 + POINT[0])


def task(copies: int = 2) -> InverseProblem:
    return InverseProblem(from_matrix(A), Y.expand(copies, -1), GaussianNoise(S))


def test_mcg_follows_its_paper() -> None:
    """Algorithm 1 in the paper's variance-preserving coordinates."""
    prior, steps, guidance, lam = GaussianPrior(MEAN, COVARIANCE), 8, 0.1, 0.5
    rng, info = SampleRNG([(0, 0), (0, 1)]), METHODS["mcg"]
    *_, last = info.run(task(), prior, rng, steps=steps, guidance=guidance, lam=lam)

    rng = SampleRNG([(0, 0), (0, 1)])
    sigmas = levels.ddpm(steps, prior, 20 * prior.variance**0.5)
    abar = [1 / (1 + sigma**2) for sigma in sigmas]
    state = initial_guess(task(), prior, sigmas[0], rng) * abar[0] ** 0.5
    for now, then in pairwise(abar):
        leaf = state.clone().requires_grad_()
        noisy = now * COVARIANCE + (1 - now) * EYE
        score = -torch.linalg.solve(noisy, (leaf - now**0.5 * MEAN).T).T
        x0 = (leaf + (1 - now) * score) / now**0.5
        length = (Y - x0 @ A.T).norm(dim=1).sum()
        (gradient,) = torch.autograd.grad(length, leaf)
        alpha = now / then
        old = alpha**0.5 * (1 - then) / (1 - now) * state
        new = then**0.5 * (1 - alpha) / (1 - now) * x0.detach()
        state = old + new - guidance * gradient
        if then == 1:
            break
        state = state + ((1 - alpha) * (1 - then) / (1 - now)) ** 0.5 * rng.normal_like(state)
        # The measurement, scaled and noised as the state is, replaces its part.
        noised = then**0.5 * Y + (1 - then) ** 0.5 * rng.normal_like(state) @ A.T
        system = A.T @ A + lam * S**2 * then / (1 - then) * EYE
        state = state + torch.linalg.solve(system, ((noised - state @ A.T) @ A).T).T
    torch.testing.assert_close(last.x, state, rtol=1e-7, atol=1e-7)


def test_red_diff_follows_its_paper() -> None:
    """Algorithm 1 in the paper's coordinates."""
    prior, steps, lam, rate = GaussianPrior(MEAN, COVARIANCE), 30, 0.4, 0.05
    rng, info = SampleRNG([(0, 0), (0, 1)]), METHODS["red_diff"]
    *_, last = info.run(task(), prior, rng, steps=steps, lam=lam, rate=rate)

    rng = SampleRNG([(0, 0), (0, 1)])
    mu = initial_guess(task(), prior, 0.0, rng)
    first = second = torch.zeros_like(mu)
    sigmas = levels.ddpm(steps, prior, 20 * prior.variance**0.5)[:-1]
    for count, sigma in enumerate(sigmas, start=1):
        alpha = (1 + sigma**2) ** -0.5
        beta = (1 - alpha**2) ** 0.5
        noise = rng.normal_like(mu)
        x = alpha * mu + beta * noise
        noisy = alpha**2 * COVARIANCE + beta**2 * EYE
        epsilon = beta * torch.linalg.solve(noisy, (x - alpha * MEAN).T).T
        gradient = (mu @ A.T - Y) @ A + lam * beta / alpha * (epsilon - noise)
        first = 0.9 * first + 0.1 * gradient
        second = 0.99 * second + 0.01 * gradient**2
        mu = mu - rate * (first / (1 - 0.9**count)) / (second / (1 - 0.99**count)).sqrt()
    torch.testing.assert_close(last.x, mu, rtol=1e-7, atol=1e-7)


def test_red_diff_settles_between_data_and_prior() -> None:
    """At a precise prior of great weight it ends at the mean, at a weight near 0 at the data."""
    info = METHODS["red_diff"]
    narrow = GaussianPrior(MEAN, 1e-6)
    *_, last = info.run(task(), narrow, SampleRNG([(0,), (1,)]), steps=500, lam=1e5)
    torch.testing.assert_close(last.x, MEAN.expand(2, 3), rtol=0, atol=0.03)
    *_, last = info.run(
        task(), GaussianPrior(MEAN, 0.5), SampleRNG([(0,), (1,)]), steps=500, lam=1e-3
    )
    torch.testing.assert_close(last.x @ A.T, Y.expand(2, 2), rtol=0, atol=0.03)


@pytest.mark.parametrize("noise", [GaussianNoise(0.3), PoissonNoise(20.0)])
def test_matched_gradient_of_a_certain_image_is_the_score(noise: Noise) -> None:
    problem = InverseProblem(BEND, Y.abs()[None], noise)
    x = torch.tensor([[0.9, 0.2, -1.6]], dtype=F64)
    found, _ = matched_gradient(problem, x, torch.zeros_like)
    torch.testing.assert_close(found, problem.score(x))


@pytest.mark.parametrize("noise", [GaussianNoise(0.3), PoissonNoise(20.0)])
def test_matched_gradient_is_that_of_the_linearised_problem(noise: Noise) -> None:
    problem = InverseProblem(BEND, Y.abs()[None], noise)
    clean = BEND(POINT)
    variance = 0.09 * torch.ones(2) if isinstance(noise, GaussianNoise) else clean[0] / 20
    gram = TANGENT @ COVARIANCE @ TANGENT.T + torch.diag(variance)
    expected = TANGENT.T @ torch.linalg.solve(gram, (Y.abs() - clean[0]))
    found, _ = matched_gradient(problem, POINT, lambda v: v @ COVARIANCE)
    torch.testing.assert_close(found[0], expected, rtol=1e-5, atol=1e-6)


def test_replacement_of_a_linearised_problem() -> None:
    problem = InverseProblem(BEND, Y[None], GaussianNoise(S))
    x, sigma, lam = torch.tensor([[1.2, -0.3, 0.4]], dtype=F64), 0.7, 2.0
    found = replacement(problem, x, POINT, sigma, lam, SampleRNG([(5,)]))
    z = SampleRNG([(5,)]).normal_like(x)[0]
    goal = Y - BEND(POINT)[0] + TANGENT @ (POINT[0] + sigma * z - x[0])
    system = TANGENT.T @ TANGENT + lam * S**2 / sigma**2 * EYE
    torch.testing.assert_close(
        found[0], torch.linalg.solve(system, TANGENT.T @ goal), rtol=1e-4, atol=1e-5
    )


def test_matched_gradient_of_complex_images() -> None:
    """With a real operator and covariance, real and imaginary parts are problems of their own."""
    matrix = from_matrix(A.to(torch.complex128))
    y, x = Y + 0.5j * Y.flip(0), POINT[0] - 1j * POINT[0].flip(0)
    noise = GaussianNoise(S)
    found, _ = matched_gradient(
        InverseProblem(matrix, y[None], noise), x[None], lambda v: v @ COVARIANCE.to(v)
    )

    def real(y: Tensor, x: Tensor) -> Tensor:
        problem = InverseProblem(from_matrix(A), y[None], noise)
        return matched_gradient(problem, x[None], lambda v: v @ COVARIANCE)[0]

    expected = torch.complex(real(y.real, x.real), real(y.imag, x.imag))
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)
