"""The proximal step on the data term against its optimality condition and dense algebra."""

from __future__ import annotations

import pytest
import torch
from scipy.optimize import nnls

from invscore.likelihood import GaussianNoise, InverseProblem, Noise, PoissonNoise
from invscore.methods.common.proximal import proximal
from invscore.operators import MRI, Identity, from_function, from_matrix

F64 = torch.float64
A = torch.tensor([[1.0, 0.5, 0.0], [0.0, 0.3, -0.8]], dtype=F64)
Y = torch.tensor([[0.9, -0.4], [0.3, 0.7]], dtype=F64)
CENTRE = torch.tensor([[0.2, -0.6, 1.1], [0.5, 0.9, -0.3]], dtype=F64)


@pytest.mark.parametrize("width", [0.7, torch.tensor([0.2, 1.5])])
def test_linear_and_gaussian(width: float | torch.Tensor) -> None:
    sigma = torch.tensor([0.3, 0.6], dtype=F64)
    z = proximal(InverseProblem(from_matrix(A), Y, GaussianNoise(sigma)), CENTRE, width)
    for image, rho in enumerate(torch.as_tensor(width, dtype=F64).expand(2)):
        precision = A.T @ A / sigma[image] ** 2 + torch.eye(3, dtype=F64) / rho**2
        pull = A.T @ Y[image] / sigma[image] ** 2 + CENTRE[image] / rho**2
        torch.testing.assert_close(
            z[image], torch.linalg.solve(precision, pull), rtol=1e-6, atol=1e-6
        )


@pytest.mark.parametrize("noise", [GaussianNoise(0.3), PoissonNoise(30.0)])
def test_elsewhere(noise: Noise) -> None:
    """The gradient of the objective vanishes, and for a point nearby the objective is higher."""
    bend = from_function(lambda x: 0.5 + x**2 + 0.3 * x, (3,), linear=False)
    y = torch.tensor([[1.9, 0.8, 1.4], [0.9, 1.2, 2.2]], dtype=F64)
    task, width = InverseProblem(bend, y, noise), 0.8
    centre = CENTRE.abs()
    z = proximal(task, centre, width)
    downhill = task.score(z) + (centre - z) / width**2
    assert downhill.norm() < 1e-3 * task.score(centre).norm()

    def cost(point: torch.Tensor) -> torch.Tensor:
        away = (point - centre).square().sum(dim=1) / (2 * width**2)
        return away - task.log_likelihood(point)

    assert (cost(z + 0.05) > cost(z)).all()
    assert (cost(z - 0.05) > cost(z)).all()
    assert (cost(z) < cost(centre)).all()


@pytest.mark.parametrize("width", [0.7, torch.tensor([0.2, 1.5])])
@pytest.mark.parametrize(("sigma", "tolerance"), [(1.0, 1e-6), (0.3, 1e-4), (0.05, 5e-3)])
def test_nonnegative(width: float | torch.Tensor, sigma: float, tolerance: float) -> None:
    """Against nonnegative least squares (Lawson & Hanson 1974), whose zeros are zeros here."""
    task = InverseProblem(from_matrix(A), Y, GaussianNoise(sigma))
    z = proximal(task, CENTRE, width, nonnegative=True)
    zeros = 0
    for image, rho in enumerate(torch.as_tensor(width, dtype=F64).expand(2)):
        rows = torch.cat([A / sigma, torch.eye(3, dtype=F64) / rho])
        target = torch.cat([Y[image] / sigma, CENTRE[image] / rho])
        expected = torch.from_numpy(nnls(rows.numpy(), target.numpy())[0])
        torch.testing.assert_close(z[image], expected, rtol=tolerance, atol=tolerance)
        zeros += int((expected == 0).sum())
        assert torch.equal(z[image] == 0, expected == 0)
    assert zeros > 0


def test_nonnegative_with_few_counts() -> None:
    """Where nothing was counted and the centre is negative, the rate is zero and not below."""
    y = torch.tensor([[0.0, 0.0, 3.0]], dtype=F64)
    centre = torch.tensor([[-0.5, 0.4, -0.2]], dtype=F64)
    task = InverseProblem(Identity((3,)), y, PoissonNoise(10.0))
    z = proximal(task, centre, 0.3, nonnegative=True)
    # 30 counts: 30 / z - 10 = (z + 0.2) / 0.09; without a count the slope is negative at 0.
    expected = torch.tensor([[0.0, 0.0, (-1.1 + (1.1**2 + 4 * 2.7) ** 0.5) / 2]], dtype=F64)
    torch.testing.assert_close(z, expected, rtol=1e-3, atol=1e-3)


def test_an_image_at_its_optimum_stays() -> None:
    square = from_function(lambda x: x**2, (3,), linear=False)
    task = InverseProblem(square, CENTRE**2, GaussianNoise(0.1))
    torch.testing.assert_close(proximal(task, CENTRE, 0.5), CENTRE, rtol=1e-12, atol=1e-12)


def test_complex_images() -> None:
    operator = MRI(torch.arange(4) % 2 == 0, (1, 4, 4))
    generator = torch.Generator().manual_seed(0)
    truth = torch.randn(1, 1, 4, 4, dtype=torch.complex128, generator=generator)
    task = InverseProblem(operator, operator(truth), GaussianNoise(0.1))
    z = proximal(task, torch.zeros_like(truth), 0.4)
    downhill = task.score(z) - z / 0.4**2
    assert downhill.abs().max() < 1e-8 * task.score(0 * z).abs().max()


def test_width_is_checked() -> None:
    task = InverseProblem(Identity((3,)), CENTRE, GaussianNoise(0.1))
    with pytest.raises(ValueError, match="`width` must be a number or of shape"):
        proximal(task, CENTRE, torch.ones(3))
