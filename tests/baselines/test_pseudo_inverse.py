"""Conjugate gradients on least squares, and where they stop."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from invscore.baselines.pseudo_inverse import pseudo_inverse
from invscore.likelihood import GaussianNoise, InverseProblem, PoissonNoise
from invscore.operators import Blur, Inpainting, from_matrix

Measure = Callable[..., InverseProblem]


def test_the_least_squares_solution_of_least_norm() -> None:
    generator = torch.Generator().manual_seed(1)
    matrix = torch.randn(6, 9, generator=generator, dtype=torch.float64)
    matrix[5] = matrix[4]  # of rank five: y has no exact solution
    y = torch.randn(2, 6, generator=generator, dtype=torch.float64)
    problem = InverseProblem(from_matrix(matrix, (1, 3, 3)), y, GaussianNoise(0.1))
    found = pseudo_inverse(problem, discrepancy=1e-9)
    expected = (y @ torch.linalg.pinv(matrix).T).reshape(2, 1, 3, 3)
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=0)


def test_a_mask_is_its_own_pseudo_inverse(image: Tensor, measure: Measure) -> None:
    problem = measure(Inpainting.random((1, 32, 32), keep=0.4), image)
    torch.testing.assert_close(pseudo_inverse(problem), problem.y)


@pytest.mark.parametrize("asked", [1.0, 1.5])
def test_it_stops_at_the_first_iterate_within_the_noise(
    asked: float, image: Tensor, measure: Measure
) -> None:
    problem = measure(Blur.gaussian(1.5, (1, 32, 32)), image)
    misfits = [
        float(problem.discrepancy(pseudo_inverse(problem, discrepancy=asked, iterations=n)))
        for n in range(1, 30)
    ]
    last = misfits[-1]
    assert last <= asked
    assert all(m > asked for m in misfits[: misfits.index(last)])
    exact = problem.operator.pinv(problem.y)  # type: ignore[attr-defined]
    found = pseudo_inverse(problem, discrepancy=asked)
    assert float((exact - image).abs().mean()) > 20 * float((found - image).abs().mean())


def test_counts_of_photons(image: Tensor) -> None:
    operator = Blur.gaussian(1.5, (1, 32, 32))
    noise = PoissonNoise(200)
    clean = operator(image)
    y = torch.poisson(200 * clean, generator=torch.Generator().manual_seed(0)) / 200
    problem = InverseProblem(operator, y, noise)
    assert float(problem.discrepancy(pseudo_inverse(problem))) <= 1
