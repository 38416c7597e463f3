"""A field in whose holes coarser resolutions see first: against dense matrices."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from invscore import GaussianNoise, InverseProblem
from invscore.methods.gaussian_field import coarse_start as module
from invscore.methods.gaussian_field import posterior
from invscore.methods.gaussian_field.coarse_start import _blocks, _finer, _within, coarse_start
from invscore.methods.gaussian_field.frequency_bands import FrequencyBands
from invscore.methods.gaussian_field.power_law import field_mean
from invscore.operators import Inpainting

F64 = torch.float64
VARIANCE, EXPONENT, NOISE = 0.06, 3.0, 0.02


def covariance(shape: tuple[int, ...]) -> Tensor:
    """Of a field's pixels, dense."""
    number = math.prod(shape)
    bands = FrequencyBands(torch.zeros(1, *shape, dtype=F64))
    unit = torch.eye(number, dtype=F64).reshape(number, *shape)
    power = bands.power_law(EXPONENT, VARIANCE)
    return bands.image(power * bands.spectrum(unit)).flatten(1)


@pytest.mark.parametrize("shape", [(1, 40, 33), (2, 32, 34)])
def test_holes_are_filled_as_the_posterior_mean_fills_them(shape: tuple[int, ...]) -> None:
    generator = torch.Generator().manual_seed(0)
    cov = covariance(shape)
    root = torch.linalg.cholesky(cov + 1e-9 * torch.eye(len(cov), dtype=F64))
    x = 0.4 + (root @ torch.randn(len(cov), dtype=F64, generator=generator)).reshape(1, *shape)
    weight = torch.ones(shape[-2:], dtype=F64)
    weight[8:26, 9:29] = 0
    weight[:5] = 0.5
    operator = Inpainting(weight, shape)
    noise = NOISE * torch.randn(x.shape, dtype=F64, generator=generator)
    problem = InverseProblem(operator, operator.matvec(x) + noise, GaussianNoise(NOISE))
    mean = torch.full_like(x, 0.4)
    found = field_mean(problem, operator, mean, EXPONENT, VARIANCE)

    seen = weight.expand(shape).flatten()
    gram = seen[:, None] * cov * seen + NOISE**2 * torch.eye(len(cov), dtype=F64)
    gain = torch.linalg.solve(gram, seen[:, None] * cov).T
    residual = (problem.y - operator.matvec(mean)).flatten()
    wanted = 0.4 + gain @ residual
    left = (cov - gain @ (seen[:, None] * cov)).diagonal().sqrt()
    off = ((found.flatten() - wanted) / left).reshape(shape)
    assert float(off.square().mean().sqrt()) < 0.02
    assert float(off.abs().max()) < 0.2


def test_waves_as_long_as_a_hole_take_few_iterations(monkeypatch: pytest.MonkeyPatch) -> None:
    shape, made = (1, 128, 128), []

    def counting(forward: object, adjoint: object, y: Tensor, **options: object) -> Tensor:
        def counted(x: Tensor) -> Tensor:
            made.append(y.shape[-1])
            return forward(x)

        return least_squares(counted, adjoint, y, **options)

    least_squares = posterior.least_squares
    monkeypatch.setattr(posterior, "least_squares", counting)
    operator = Inpainting.box(shape, 64)
    y = torch.randn(1, *shape, generator=torch.Generator().manual_seed(0)).cumsum(2).cumsum(3)
    y = operator.matvec(y / y.std())
    problem = InverseProblem(operator, y, GaussianNoise(0.03))
    mean = torch.zeros(1, *shape)
    found = field_mean(problem, operator, mean, EXPONENT, 1.0)
    few = made.count(128)
    made.clear()
    monkeypatch.setattr(module, "SMALLEST", 1000)
    wanted = field_mean(problem, operator, mean, EXPONENT, 1.0)
    # A fifth, were pixels told as precisely as the means of their blocks.
    assert few < 0.165 * made.count(128)
    assert float((found - wanted).square().mean().sqrt()) < 0.1 * float(wanted.std())


def test_the_mean_of_a_block_lies_in_its_middle() -> None:
    rows, columns = torch.meshgrid(
        torch.arange(12, dtype=F64), torch.arange(10, dtype=F64), indexing="ij"
    )
    phase = 2 * math.pi * (2 * rows / 12 - columns / 10) + 0.3
    wave = phase.cos()[None, None]
    means = _blocks(wave) / 4
    assert means.shape == (1, 1, 6, 5)
    less = math.cos(2 * math.pi / 12) * math.cos(math.pi / 10)
    torch.testing.assert_close(_finer(means, (12, 10)), less * wave)


def test_the_last_block_of_an_odd_side_has_less_in_it() -> None:
    torch.testing.assert_close(
        _blocks(torch.ones(1, 3, 5)), torch.tensor([[[4.0, 4.0, 2.0], [2.0, 2.0, 1.0]]])
    )


def test_how_uncertain_a_pixel_is_about_the_mean_of_its_block() -> None:
    shape = (1, 8, 6)
    block = torch.zeros(48, dtype=F64)
    block[[0, 1, 6, 7]] = 0.25
    cov = covariance(shape)
    apart = torch.eye(48, dtype=F64)[0] - block
    found = _within(FrequencyBands(torch.zeros(1, *shape, dtype=F64)), EXPONENT, VARIANCE)
    assert found == pytest.approx(float(apart @ cov @ apart), rel=1e-9)


def test_small_images_are_not_looked_at_more_coarsely() -> None:
    small = torch.ones(1, 1, 31, 64)
    assert coarse_start(small, small, EXPONENT, VARIANCE) is None
