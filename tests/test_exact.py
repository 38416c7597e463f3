import math
import time
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from invscore.exact import exact_posterior, log_evidence
from invscore.likelihood import GaussianNoise, InverseProblem, PoissonNoise, simulate
from invscore.operators import (
    Blur,
    Identity,
    Inpainting,
    LinearOperator,
    NonlinearOperator,
    from_matrix,
)
from invscore.priors import (
    Channelwise,
    GaussianMixturePrior,
    GaussianPrior,
    Prior,
    StationaryGaussianPrior,
)

F64 = torch.float64
D = 5
SHAPE = (1, 4, 6)
CLOSED = GaussianPrior | GaussianMixturePrior | StationaryGaussianPrior


def _randn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=F64)


def _spd(d: int, seed: int) -> Tensor:
    root = _randn(d, d, seed=seed)
    return root @ root.T / d + 0.05 * torch.eye(d, dtype=F64)


class FourierSampling(LinearOperator):
    """Some coefficients of the orthonormal Fourier transform of a real image; the rest is zero."""

    def __init__(self, mask: Tensor, in_shape: tuple[int, ...]) -> None:
        self.in_shape = self.out_shape = in_shape
        self.out_complex = True
        self.measured = self.mask = mask.expand(in_shape)

    def matvec(self, x: Tensor) -> Tensor:
        return torch.where(self.mask, torch.fft.fft2(x, norm="ortho"), 0)

    def rmatvec(self, y: Tensor) -> Tensor:
        image: Tensor = torch.fft.ifft2(torch.where(self.mask, y, 0), norm="ortho")
        return image.real


class Square(NonlinearOperator):
    in_shape = out_shape = (D,)

    def __call__(self, x: Tensor) -> Tensor:
        return x**2


def _mixture(covariances: float | Tensor, d: int = D) -> GaussianMixturePrior:
    weights = torch.tensor([0.6, 0.1, 0.3], dtype=F64)
    return GaussianMixturePrior(2 * _randn(3, d, seed=1), covariances, weights)


DENSE = torch.stack([_spd(D, seed) for seed in (2, 3, 4)])
FLAT: dict[str, Callable[[], CLOSED]] = {
    "gaussian": lambda: GaussianPrior(_randn(D, seed=1), _spd(D, 2)),
    "isotropic": lambda: GaussianPrior(_randn(D, seed=1), 0.7),
    "mixture, number": lambda: _mixture(0.7),
    "mixture, numbers": lambda: _mixture(torch.tensor([0.3, 0.7, 2.0])),
    "mixture, variances": lambda: _mixture(DENSE.diagonal(dim1=1, dim2=2)),
    "mixture, matrices": lambda: _mixture(DENSE),
    "mixture, shared matrix": lambda: _mixture(DENSE[:1]),
}


def _problem(measurements: int, sigma: float | Tensor = 0.3, b: int = 1) -> InverseProblem:
    matrix = _randn(measurements, D, seed=7)
    return InverseProblem(
        from_matrix(matrix), _randn(b, measurements, seed=8), GaussianNoise(sigma)
    )


def _image_problems() -> dict[str, InverseProblem]:
    mask = torch.rand(SHAPE[-2:], generator=torch.Generator().manual_seed(0)) < 0.6
    operators: dict[str, LinearOperator] = {
        "identity": Identity(SHAPE),
        "blur": Blur(_randn(3, 3, seed=6), SHAPE),
        "inpainting": Inpainting(mask, SHAPE),
        "fourier": FourierSampling(mask, SHAPE),
    }
    truth = _field().sample(1, 3)
    noise = GaussianNoise(0.2)
    return {
        name: InverseProblem(a, simulate(a, truth, noise, 4), noise)
        for name, a in operators.items()
    }


def _field() -> StationaryGaussianPrior:
    return StationaryGaussianPrior.power_law(SHAPE, variance=0.5, mean=0.4, dtype=F64)


def _assert_bayes(problem: InverseProblem, prior: CLOSED, posterior: CLOSED) -> None:
    """log p(x | y) = log p(x) + log p(y | x) - log p(y), and its gradient, at random x."""
    x = posterior.mean + posterior.std * _randn(4, *prior.shape, seed=9)
    joint = prior.log_prob(x) + problem.log_likelihood(x)
    torch.testing.assert_close(
        posterior.log_prob(x), joint - log_evidence(problem, prior), rtol=1e-9, atol=1e-9
    )
    score = prior.score(x, 0.0) + problem.score(x)
    torch.testing.assert_close(posterior.score(x, 0.0), score, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("name", FLAT)
@pytest.mark.parametrize("measurements", [1, 3, 5, 9])
def test_bayes_rule_holds_with_its_constant(name: str, measurements: int) -> None:
    problem, prior = _problem(measurements), FLAT[name]()
    posterior = exact_posterior(problem, prior)
    assert type(posterior) is type(prior)
    _assert_bayes(problem, prior, posterior)


@pytest.mark.parametrize("name", ["identity", "blur", "inpainting", "fourier"])
def test_bayes_rule_holds_for_image_operators(name: str) -> None:
    problem = _image_problems()[name]
    dense = GaussianPrior(_field().mean, _field().dense_covariance())
    _assert_bayes(problem, dense, exact_posterior(problem, dense))
    mixture = GaussianMixturePrior(_randn(2, *SHAPE), torch.tensor([0.3, 0.9], dtype=F64))
    _assert_bayes(problem, mixture, exact_posterior(problem, mixture))


@pytest.mark.parametrize("name", ["identity", "blur", "inpainting", "fourier"])
def test_stationary_priors_agree_with_dense_ones(name: str) -> None:
    problem, field = _image_problems()[name], _field()
    dense = GaussianPrior(field.mean, field.dense_covariance())
    posterior, expected = exact_posterior(problem, field), exact_posterior(problem, dense)
    assert isinstance(posterior, GaussianPrior if name == "inpainting" else StationaryGaussianPrior)
    torch.testing.assert_close(posterior.mean, expected.mean)
    torch.testing.assert_close(posterior.dense_covariance().matrix, expected.covariance)
    torch.testing.assert_close(log_evidence(problem, field), log_evidence(problem, dense))
    _assert_bayes(problem, field, posterior)


@pytest.mark.parametrize("measurements", [2, 8])
def test_gaussian_posterior_in_information_form(measurements: int) -> None:
    problem, prior = _problem(measurements), GaussianPrior(_randn(D, seed=1), _spd(D, 2))
    posterior = exact_posterior(problem, prior)
    a, y = _randn(measurements, D, seed=7).numpy(), problem.y[0].numpy()
    information = np.linalg.inv(_spd(D, 2).numpy())
    covariance = np.linalg.inv(a.T @ a / 0.3**2 + information)
    mean = covariance @ (a.T @ y / 0.3**2 + information @ prior.mean.numpy())
    np.testing.assert_allclose(posterior.mean, mean, rtol=1e-9)
    np.testing.assert_allclose(posterior.covariance, covariance, rtol=1e-8, atol=1e-12)
    np.testing.assert_allclose(posterior.std, np.sqrt(covariance.diagonal()), rtol=1e-9)

    marginal = a @ _spd(D, 2).numpy() @ a.T + 0.3**2 * np.eye(measurements)
    misfit = y - a @ prior.mean.numpy()
    _, log_det = np.linalg.slogdet(2 * math.pi * marginal)
    expected = -0.5 * (misfit @ np.linalg.solve(marginal, misfit) + log_det)
    assert float(log_evidence(problem, prior)) == pytest.approx(expected, rel=1e-10)


def test_mixture_posterior_and_evidence_by_quadrature() -> None:
    means = torch.tensor([[-1.0, 0.5], [1.0, 0.0], [0.3, -1.2]], dtype=F64)
    covariances = torch.stack([_spd(2, seed) for seed in range(3)])
    prior = GaussianMixturePrior(means, covariances, torch.tensor([0.2, 0.5, 0.3], dtype=F64))
    problem = InverseProblem(
        from_matrix(torch.tensor([[1.0, 0.4]], dtype=F64)),
        torch.tensor([[0.35]], dtype=F64),
        GaussianNoise(0.25),
    )
    axis = torch.linspace(-9, 9, 901, dtype=F64)
    grid = torch.cartesian_prod(axis, axis)
    cell = float(axis[1] - axis[0]) ** 2
    joint = (prior.log_prob(grid) + problem.log_likelihood(grid)).exp()
    evidence = joint.sum() * cell
    density = joint / evidence
    mean = (density[:, None] * grid).sum(dim=0) * cell
    std = ((density[:, None] * (grid - mean) ** 2).sum(dim=0) * cell).sqrt()

    posterior = exact_posterior(problem, prior)
    torch.testing.assert_close(log_evidence(problem, prior)[0], evidence.log())
    torch.testing.assert_close(posterior.log_prob(grid).exp(), density)
    torch.testing.assert_close(posterior.mean, mean)
    torch.testing.assert_close(posterior.std, std)
    assert float(posterior.log_prob(grid).exp().sum()) * cell == pytest.approx(1, abs=1e-9)


def test_evidence_integrates_to_one_over_measurements() -> None:
    prior = GaussianMixturePrior(torch.tensor([[-2.0], [1.0]], dtype=F64), 0.5)
    y = torch.linspace(-30, 30, 3001, dtype=F64)[:, None]
    problem = InverseProblem(from_matrix(torch.tensor([[1.5]], dtype=F64)), y, GaussianNoise(0.4))
    total = log_evidence(problem, prior).exp().sum() * float(y[1] - y[0])
    assert float(total) == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize("name", ["gaussian", "mixture, matrices"])
def test_each_measurement_has_its_evidence_and_noise_level(name: str) -> None:
    prior = FLAT[name]()
    problem = _problem(3, torch.tensor([0.1, 0.5, 2.0], dtype=F64), b=3)
    alone = [log_evidence(problem.select(torch.tensor([i])), prior) for i in range(3)]
    torch.testing.assert_close(log_evidence(problem, prior), torch.cat(alone))
    one = exact_posterior(problem.select(torch.tensor([2])), prior)
    _assert_bayes(problem.select(torch.tensor([2])), prior, one)
    field = _field()
    images = InverseProblem(
        Identity(SHAPE), field.sample(2, 0), GaussianNoise(torch.tensor([0.1, 0.4], dtype=F64))
    )
    alone = [log_evidence(images.select(torch.tensor([i])), field) for i in range(2)]
    torch.testing.assert_close(log_evidence(images, field), torch.cat(alone))


@pytest.mark.parametrize("name", ["gaussian", "mixture, numbers", "mixture, matrices"])
def test_samples_have_the_moments_of_the_posterior(name: str) -> None:
    n = 20_000
    posterior = exact_posterior(_problem(2), FLAT[name]())
    x = posterior.sample(n, 0)
    error = (x.mean(dim=0) - posterior.mean) / posterior.std * n**0.5
    assert float(error.abs().max()) < 4.5
    squares = (x - posterior.mean) ** 2
    error = (squares.mean(dim=0) - posterior.std**2) / squares.std(dim=0) * n**0.5
    assert float(error.abs().max()) < 4.5


def test_posteriors_of_simulated_truths_are_calibrated() -> None:
    """The truth's rank in its own posterior is uniform: its standardised error has variance 1."""
    n, prior = 400, GaussianPrior(_randn(D, seed=1), _spd(D, 2))
    matrix = _randn(2, D, seed=7)
    operator, noise = from_matrix(matrix), GaussianNoise(0.3)
    truth = prior.sample(n, 11)
    problem = InverseProblem(operator, simulate(operator, truth, noise, 11), noise)
    scores = []
    for i in range(n):
        posterior = exact_posterior(problem.select(torch.tensor([i])), prior)
        scores.append((truth[i] - posterior.mean) / posterior.std)
    z = torch.stack(scores)
    assert float(z.mean(dim=0).abs().max()) * n**0.5 < 4.5
    assert float((z.square().mean(dim=0) - 1).abs().max()) * (n / 2) ** 0.5 < 4.5


def test_small_noise_and_single_precision_stay_accurate() -> None:
    prior = GaussianPrior(_randn(D, seed=1), _spd(D, 2)).to(dtype=torch.float32)
    problem = _problem(3, 1e-4)
    single = InverseProblem(problem.operator, problem.y.float(), problem.noise)
    posterior = exact_posterior(single, prior)
    assert posterior.mean.dtype == posterior.covariance.dtype == torch.float32
    measured = problem.operator(posterior.sample(8, 0).double())
    torch.testing.assert_close(measured, problem.y.expand(8, -1), rtol=0, atol=2e-3)
    assert bool(posterior.score(posterior.sample(3, 1), 0.0).isfinite().all())


@pytest.mark.parametrize("variances", [1.0, torch.linspace(0.5, 2, 25)])
def test_the_benchmark_size_is_quick(variances: float | Tensor) -> None:
    prior = GaussianMixturePrior(8 * _randn(25, 800).float(), variances)
    operator = from_matrix(_randn(4, 800, seed=5).float() / 800**0.5)
    noise = GaussianNoise(0.1)
    problem = InverseProblem(operator, simulate(operator, prior.sample(1, 0), noise, 0), noise)
    began = time.monotonic()
    samples = exact_posterior(problem, prior).sample(1000, 0)
    assert time.monotonic() - began < 10
    residual = (problem.y - operator(samples)) / 0.1
    assert float(residual.square().mean()) == pytest.approx(1, abs=0.3)


def test_image_sized_posteriors_of_periodic_blur() -> None:
    shape = (1, 128, 128)
    field = StationaryGaussianPrior.power_law(shape, variance=0.05, mean=0.5)
    operator, noise = Blur.gaussian(sigma=1.6, in_shape=shape), GaussianNoise(0.02)
    truth = field.sample(1, 0)
    problem = InverseProblem(operator, simulate(operator, truth, noise, 0), noise)
    posterior = exact_posterior(problem, field)
    assert isinstance(posterior, StationaryGaussianPrior)
    error = (truth - posterior.mean)[0] / posterior.std
    assert float(error.square().mean()) == pytest.approx(1, abs=0.1)
    assert posterior.variance < 0.3 * field.variance


def test_other_problems_are_refused() -> None:
    prior, noise = GaussianPrior(torch.zeros(D, dtype=F64), 1.0), GaussianNoise(0.1)
    y = torch.ones(1, D, dtype=F64)
    with pytest.raises(
        ValueError,
        match=r"must have one measurement for exact_posterior, got 3: see problem.select",
    ):
        exact_posterior(_problem(2, b=3), prior)
    with pytest.raises(ValueError, match=r"linear operator, given Square"):
        exact_posterior(InverseProblem(Square(), y, noise), prior)
    with pytest.raises(ValueError, match="Gaussian noise, given PoissonNoise"):
        log_evidence(InverseProblem(Identity((D,)), y, PoissonNoise(10)), prior)
    with pytest.raises(
        ValueError,
        match=r"real images of shape \(4,\), .*, got one for real images of shape \(5,\)",
    ):
        exact_posterior(_problem(2), GaussianPrior(torch.zeros(4, dtype=F64), 1.0))
    other: Prior = Channelwise(prior)
    with pytest.raises(ValueError, match="given Channelwise"):
        exact_posterior(_problem(2), other)  # type: ignore[call-overload]
