"""The Wiener filter against posteriors in closed form."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from invscore.baselines.wiener import best_constant, wiener
from invscore.exact import exact_posterior
from invscore.likelihood import GaussianNoise, InverseProblem, simulate
from invscore.operators import MRI, Blur, Inpainting, LinearOperator, SuperResolution
from invscore.priors import StationaryGaussianPrior

SHAPE = (1, 12, 10)


@pytest.mark.parametrize(
    "operator",
    [
        Blur.gaussian(1.0, SHAPE),
        Blur.motion(3, 20, SHAPE),
        Inpainting.random(SHAPE, keep=0.4),
        2 * SuperResolution(2, SHAPE),
        2 * Blur.gaussian(1.0, SHAPE, size=5, boundary="valid"),
    ],
    ids=["blur", "motion", "inpainting", "superresolution", "valid"],
)
def test_the_posterior_mean(operator: LinearOperator) -> None:
    """Of a field that wraps around; behind operators with a border themselves it is mirrored."""
    field = StationaryGaussianPrior.power_law(
        SHAPE, exponent=2.5, variance=0.04, mean=0.4, dtype=torch.float64
    )
    x = 0.4 + 0.2 * torch.randn(1, *SHAPE, generator=torch.Generator().manual_seed(3)).double()
    problem = InverseProblem(
        operator, simulate(operator, x, GaussianNoise(0.05)), GaussianNoise(0.05)
    )
    mean = best_constant(operator, problem.y)
    assert float(mean.std()) < 1e-12
    fitted = StationaryGaussianPrior(mean[0], field.spectrum)
    found = wiener(problem, exponent=2.5, deviation=0.2)
    expected = exact_posterior(problem, fitted).mean
    torch.testing.assert_close(found[0], expected, atol=1e-5, rtol=0)


def test_parts_of_complex_images_are_filtered_alike() -> None:
    generator = torch.Generator().manual_seed(0)
    mask = torch.ones(12, 10, dtype=torch.bool)
    operator = MRI(mask)
    x = torch.randn(1, *operator.in_shape, dtype=torch.complex128, generator=generator)
    noise = GaussianNoise(0.3)
    found = wiener(InverseProblem(operator, operator(x), noise))
    real = wiener(InverseProblem(operator, operator(x.real + 0j), noise))
    imaginary = wiener(InverseProblem(operator, operator(1j * x.imag), noise))
    torch.testing.assert_close(found, real + imaginary, atol=1e-6, rtol=0)
    assert float(real.imag.abs().max()) < 1e-6


def test_the_constant_that_fits_best() -> None:
    y = torch.tensor([[[[1.0, 0.0], [3.0, 0.0]]]])
    mask = torch.tensor([[True, False], [True, False]])
    torch.testing.assert_close(
        best_constant(3 * Inpainting(mask), y), torch.full((1, 1, 2, 2), 2 / 3)
    )


def test_an_operator_blind_to_constants() -> None:
    y: Tensor = torch.ones(1, 1, 2, 2)
    mask = torch.ones(2, 2, dtype=torch.bool)
    nothing = Inpainting(mask) + -1.0 * Inpainting(mask)
    assert float(best_constant(nothing, y).abs().max()) == 0
