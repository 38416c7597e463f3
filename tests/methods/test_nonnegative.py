"""Images that are nowhere below zero: the methods that can have that, and what it is worth."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.optimize import nnls

from invscore import GaussianNoise, GaussianPrior, InverseProblem, reconstruct, simulate
from invscore.methods import METHODS
from invscore.metrics import psnr
from invscore.operators import Blur, from_matrix
from invscore.priors import StationaryGaussianPrior

SHAPE = (1, 16, 16)
CONSTRAINED = sorted(name for name, info in METHODS.items() if "nonnegative" in info.defaults)
CLIMBING = ["map", "prox_gradient"]


def test_which_methods_can_have_it() -> None:
    assert CONSTRAINED == ["admm", "diffpir", "hqs", "map", "prox_gradient"]


@pytest.mark.parametrize("method", CONSTRAINED)
def test_points_on_black(method: str) -> None:
    """Points of light, blurred: nothing is below zero, and the image is nearer to the truth."""
    truth = torch.zeros(1, *SHAPE)
    truth[0, 0, 4, 5], truth[0, 0, 10, 11] = 1.0, 0.7
    operator = Blur.gaussian(1.0, SHAPE)
    problem = InverseProblem(
        operator, simulate(operator, truth, GaussianNoise(0.01), 1), GaussianNoise(0.01)
    )
    prior = StationaryGaussianPrior.power_law(SHAPE, exponent=1.0, variance=0.02, mean=0.0)
    free = reconstruct(problem, prior, method=method, steps=40, scale=1.0)
    held = reconstruct(problem, prior, method=method, steps=40, scale=1.0, nonnegative=True)
    assert float(free.samples.min()) < -0.01
    assert float(held.samples.min()) == 0
    assert psnr(held.mean, truth).item() > psnr(free.mean, truth).item()


@pytest.mark.parametrize("method", CLIMBING)
def test_the_mode_among_nonnegative_images(method: str) -> None:
    """Of a Gaussian prior, smoothed, it is a solution of nonnegative least squares."""
    generator = torch.Generator().manual_seed(3)
    matrix = torch.randn(6, 8, generator=generator)
    y = torch.randn(1, 6, generator=generator)
    sigma, smoothing, deviation = 0.5, 0.3, 0.8
    problem = InverseProblem(from_matrix(matrix), y, GaussianNoise(sigma))
    prior = GaussianPrior(torch.zeros(8), deviation**2)
    found = reconstruct(
        problem, prior, method=method, steps=400, sigma=smoothing, nonnegative=True, scale=1.0
    ).mean[0]
    width = (deviation**2 + smoothing**2) ** 0.5
    rows = np.concatenate([matrix.numpy() / sigma, np.eye(8) / width])
    expected, _ = nnls(rows, np.concatenate([y[0].numpy() / sigma, np.zeros(8)]))
    assert (expected == 0).any()
    np.testing.assert_allclose(found.numpy(), expected, atol=2e-3)


def test_complex_images_have_no_sign() -> None:
    from invscore.operators import MRI

    operator = MRI(torch.arange(16) % 2 == 0, SHAPE)
    y = torch.zeros(1, *SHAPE, dtype=torch.complex64)
    prior = StationaryGaussianPrior.power_law(SHAPE)
    with pytest.raises(ValueError, match="`nonnegative` must be false for complex images, got Tr"):
        reconstruct(
            InverseProblem(operator, y, GaussianNoise(0.1)),
            prior,
            method="hqs",
            nonnegative=True,
            scale=1.0,
        )
