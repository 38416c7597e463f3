"""Fields of which pixels are measured, against dense algebra."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from invscore.methods.gaussian_field.frequency_bands import FrequencyBands
from invscore.methods.gaussian_field.masked import explained_pixels
from invscore.methods.gaussian_field.posterior import Unexplained, explained

F64 = torch.float64
SHAPES = pytest.mark.parametrize("shape", [(1, 8, 6), (1, 7, 9), (3, 4, 5), (2, 3, 4, 6)])


def random(*shape: int, seed: int) -> Tensor:
    return torch.randn(*shape, dtype=F64, generator=torch.Generator().manual_seed(seed))


def found_of(c: Tensor, pull: Tensor, precision: Tensor, iterations: int, limit: Tensor) -> Tensor:
    given = Unexplained(pull.clone(), None, c, precision)
    return explained_pixels(given, iterations=iterations, limit=limit)


def given(shape: tuple[int, ...]) -> tuple[FrequencyBands, Tensor, Tensor, Tensor]:
    """Bands, variances of a field, precisions of pixels of which most are 0, and a pull."""
    bands = FrequencyBands(torch.zeros(1, *shape, dtype=F64))
    c = bands.spread(random(2, len(bands.numbers), seed=1).exp())
    seen = random(1, *[1] * (len(shape) - 2), *shape[-2:], seed=2)
    precision = torch.where(seen > 0.3, 10 * seen, 0.0)
    return bands, c, precision, precision * random(2, *shape, seed=3)


@SHAPES
def test_it_is_the_solution_of_the_system(shape: tuple[int, ...]) -> None:
    bands, c, precision, pull = given(shape)
    limit = torch.full((2, *[1] * len(shape)), 300)
    found = found_of(c, pull, precision, 300, limit)
    n = math.prod(shape)
    waves = bands.spectrum(torch.eye(n, dtype=F64).reshape(n, *shape)).flatten(1)
    for image, variances, b in zip(found, c, pull, strict=True):
        system = waves @ torch.diag(1 / variances.flatten()) @ waves.T
        system += torch.diag(precision.expand(1, *shape).flatten())
        wanted = torch.linalg.solve(system, b.flatten())
        error = (image.flatten() - wanted).norm() / wanted.norm()
        assert float(error) < 1e-4


@SHAPES
def test_iterations_are_those_by_the_operator(shape: tuple[int, ...]) -> None:
    """One by one, and each image stops at its own limit."""
    bands, c, precision, pull = given(shape)
    axes = [1] * len(shape)
    limit = torch.tensor([2, 4]).reshape(2, *axes)
    found = found_of(c, pull, precision, 4, limit)
    root = precision.sqrt()
    residual = pull / torch.where(root > 0, root, 1.0)
    power = precision.mean().reshape(1, *axes)
    by_operator = explained(
        lambda x: root * x,
        lambda y: root * y,
        Unexplained(residual, None, c, power),
        bands,
        iterations=4,
        limit=limit,
    )
    torch.testing.assert_close(found, bands.image(by_operator), rtol=0, atol=1e-11)
    for count in (1, 3):
        few = found_of(c, pull, precision, count, limit)
        assert float((few[1] - found[1]).abs().max()) > 1e-6
