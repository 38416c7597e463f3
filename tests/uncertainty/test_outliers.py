"""Single numbers that nothing explains are told from edges, noise and borders."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from invscore import GaussianNoise, InverseProblem, PoissonNoise, load_prior, reconstruct, simulate
from invscore.images import crop_and_shrink, load_image, to_gray
from invscore.operators import MRI, Blur, Identity, Tomography
from invscore.uncertainty.outliers import outlier_warnings

SHAPE = (1, 32, 32)
NOISE = GaussianNoise(0.1)
RESIDUAL = torch.randn(2, *SHAPE, generator=torch.Generator().manual_seed(0))
PROBLEM = InverseProblem(Identity(SHAPE), torch.zeros(2, *SHAPE), NOISE)


def told(*residuals: Tensor) -> tuple[str, ...]:
    return outlier_warnings(PROBLEM, residuals)


def spoilt(size: float, ring: float = 0.0, count: int = 3) -> Tensor:
    """Residuals with single numbers of ``size``, and of ``ring`` beside them."""
    found = RESIDUAL.clone()
    for k in range(count):
        row, column = 5 + 9 * k, 7 + 6 * k
        found[0, 0, row - 1 : row + 2, column - 1 : column + 2] -= ring
        found[0, 0, row, column] = size
    return found


def test_single_numbers_are_counted() -> None:
    (sentence,) = told(spoilt(9.0))
    assert sentence.startswith(
        "3 single numbers of the measurement are more than 6 times the noise"
    )
    assert told(spoilt(-9.0)) == told(spoilt(9.0)) == told(spoilt(40.0, ring=8.0))
    assert told(RESIDUAL) == told(spoilt(5.0)) == told(spoilt(9.0, count=1)) == ()


def test_a_number_must_be_far_in_every_sample() -> None:
    assert told(spoilt(9.0), spoilt(9.0))
    assert told(spoilt(9.0), RESIDUAL) == ()


def test_edges_and_noise_are_no_single_numbers() -> None:
    edge = RESIDUAL.clone()
    edge[..., 11] += 10.0
    edge[..., 5:7, :] += 10.0
    assert told(edge) == ()
    assert told(3 * RESIDUAL) == told(1.8 * spoilt(9.0)) == ()


def test_more_noise_in_a_region_is_no_outliers() -> None:
    region = torch.randn(2, 1, 128, 128, generator=torch.Generator().manual_seed(1))
    region[..., :40, :] *= 2
    problem = InverseProblem(Identity((1, 128, 128)), torch.zeros(2, 1, 128, 128), NOISE)
    assert int((region.abs() > 6).sum()) > 10
    assert outlier_warnings(problem, [region]) == ()


def test_what_has_no_neighbours_or_other_noise_is_let_pass() -> None:
    line = InverseProblem(Identity((64,)), torch.zeros(2, 64), NOISE)
    assert outlier_warnings(line, [10 * torch.eye(64)[:2]]) == ()
    counts = InverseProblem(Identity(SHAPE), torch.ones(2, *SHAPE), PoissonNoise(10.0))
    assert outlier_warnings(counts, [spoilt(9.0)]) == ()


@pytest.mark.parametrize("name", ["camera", "coins"])
def test_hot_pixels_behind_blurs_and_projections_are_told(name: str) -> None:
    image = to_gray(crop_and_shrink(load_image(name), 128))[None]
    shape, noise = (1, 128, 128), GaussianNoise(0.02)
    prior = load_prior("photos-gray-small")
    for operator in (Blur.gaussian(1.6, shape), Tomography(60, shape)):
        y = simulate(operator, image, noise, 1)
        hot = torch.rand(y.shape, generator=torch.Generator().manual_seed(2)) < 0.001
        spoilt = y.masked_fill(hot, 1.2 * float(y.max()))
        for measured, sentences in ((y, 0), (spoilt, 1)):
            problem = InverseProblem(operator, measured, noise)
            result = reconstruct(problem, prior, samples=2, steps=6, scale=1.0)
            assert len(result.warnings) == sentences
            assert all("single numbers of the measurement" in each for each in result.warnings)


def test_spikes_in_k_space() -> None:
    lines = MRI.random((1, 64, 64), acceleration=2)
    image = to_gray(crop_and_shrink(load_image("camera"), 64))[None]
    noise = GaussianNoise(0.02)
    y = simulate(lines, image + 0j, noise, 1)
    residual = simulate(lines, 0j * image, noise, 3) / 0.02
    columns = lines.measured[0, 0].nonzero().flatten()[[2, 9]]
    residual[0, 0, [20, 40], columns] += 12
    problem = InverseProblem(lines, y, noise)
    (sentence,) = outlier_warnings(problem, [residual])
    assert sentence.startswith("2 single numbers")
