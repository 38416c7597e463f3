"""A variance for each number, against the posterior in closed form."""

import pytest
import torch

from invscore import GaussianPrior, exact_posterior
from invscore.estimation.noise_map import evened, with_noise_map
from invscore.operators import HighDynamicRange, check_operator, from_matrix
from invscore.operators.weighting import Weighting

generator = torch.Generator().manual_seed(0)


def test_the_posterior_is_that_of_the_noise_map() -> None:
    matrix = torch.randn(5, 4, dtype=torch.float64, generator=generator)
    y = torch.randn(1, 5, dtype=torch.float64, generator=generator)
    variance = torch.tensor([0.1, 0.5, 2.0, 0.01, torch.inf], dtype=torch.float64)
    y[0, 4] = torch.nan
    problem = with_noise_map(from_matrix(matrix), y, variance)
    mean, covariance = torch.zeros(4, dtype=torch.float64), torch.eye(4, dtype=torch.float64)
    posterior = exact_posterior(problem, GaussianPrior(mean, covariance))
    a, s = matrix[:4], variance[:4]
    precision = a.T @ torch.diag(1 / s) @ a + covariance
    expected = torch.linalg.solve(precision, a.T @ (y[0, :4] / s))
    torch.testing.assert_close(posterior.mean.flatten(), expected)


def test_contract() -> None:
    weights = torch.tensor([[0.0, 1.0, 2.0], [3.0, 0.5, 1.0]])
    assert check_operator(Weighting(weights)).ok
    assert check_operator(Weighting(weights, complex=True)).ok


def test_what_is_evened_is_the_problem_before() -> None:
    """Up to ten median deviations; what has more keeps the weight that brings it down to those."""
    operator = from_matrix(torch.randn(5, 4, dtype=torch.float64, generator=generator))
    y = torch.randn(1, 5, dtype=torch.float64, generator=generator)
    deviation = torch.tensor([1.0, 0.2, 2.0, 9.0, 0.1], dtype=torch.float64)
    plain = evened(with_noise_map(operator, y, deviation**2).scaled(0.5))
    assert plain.operator is operator
    torch.testing.assert_close(plain.y, y / 2)
    assert float(plain.noise.sigma) == pytest.approx(float(deviation.square().mean().sqrt()) / 2)
    assert evened(plain) is plain

    deviation[3], deviation[4] = 1e6, torch.inf  # of the others the median weight is 1 / 2
    some = evened(with_noise_map(operator, y, deviation**2))
    kept = torch.tensor([1, 1, 1, 20e-6, 0], dtype=torch.float64)
    x = torch.randn(1, 4, dtype=torch.float64, generator=generator)
    torch.testing.assert_close(some.operator(x), kept * operator(x))
    torch.testing.assert_close(some.y, kept * y)
    level = (1 + 0.04 + 4 + 400) / 4
    assert float(some.noise.sigma) == pytest.approx(level**0.5)


def test_errors() -> None:
    operator, y = from_matrix(torch.eye(3)), torch.zeros(1, 3)
    with pytest.raises(ValueError, match=r"must be real, of the operator's shape \(3,\)"):
        with_noise_map(operator, y, torch.ones(4))
    with pytest.raises(ValueError, match="`variance` must not be negative, got -1"):
        with_noise_map(operator, y, torch.tensor([1.0, -1.0, 1.0]))
    with pytest.raises(ValueError, match="`operator` must be linear, got HighDynamicRange"):
        with_noise_map(HighDynamicRange((1, 2, 2)), y, torch.ones(3))
    with pytest.raises(ValueError, match="`weights` must be finite numbers from 0"):
        Weighting(torch.zeros(3))
