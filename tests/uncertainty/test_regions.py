"""Noise maps that do not hold everywhere are told by the region."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from invscore import InverseProblem, load_prior, reconstruct
from invscore.estimation.noise_map import with_noise_map
from invscore.images import crop_and_shrink, load_image, to_gray
from invscore.operators import Blur, Identity, Inpainting, LinearOperator
from invscore.uncertainty.regions import region_warnings
from invscore.uncertainty.standardised import residuals

SHAPE = (1, 64, 64)
OPERATORS = [Blur.gaussian(1.6, SHAPE), Inpainting.random(SHAPE, keep=0.5), Identity(SHAPE)]


def variance() -> Tensor:
    """Twice the noise on the left."""
    found = torch.full(SHAPE, 0.02**2)
    found[..., :32] *= 4
    return found


def measured(operator: LinearOperator, x: Tensor, told: Tensor) -> InverseProblem:
    generator = torch.Generator().manual_seed(1)
    y = operator(x) + variance().sqrt() * torch.randn(x.shape, generator=generator)
    if operator.measured is not None:
        y = y * operator.measured
    return with_noise_map(operator, y, told)


def of_the_truth(operator: LinearOperator, x: Tensor, told: Tensor) -> tuple[str, ...]:
    problem = measured(operator, x, told)
    return region_warnings(problem, residuals(problem, x[None]))


@pytest.mark.parametrize(
    ("operator", "factor"),
    [(OPERATORS[0], 0.25), (OPERATORS[0], 4.0), (OPERATORS[1], 0.25)],
    ids=["blur, less", "blur, more", "holes, less"],
)
def test_the_noise_itself_tells_the_region(operator: LinearOperator, factor: float) -> None:
    """The truth as the sample: its residual is the noise, in units of a map that is off."""
    x = torch.zeros(1, *SHAPE)
    assert of_the_truth(operator, x, variance()) == ()
    assert of_the_truth(operator, x, factor * variance()) == ()
    off = variance()
    off[:, 16:32, 40:56] *= factor
    (sentence,) = of_the_truth(operator, x, off)
    assert f"{0.5 if factor > 1 else 2.0:.1g}" in sentence
    assert any(f"rows {top} to {top + 8}" in sentence for top in (16, 24))
    assert any(f"columns {left} to {left + 8}" in sentence for left in (40, 48))


def told(operator: LinearOperator, map_: Tensor) -> bool:
    """Whether the default's residual of a photograph tells that the map is off in a region."""
    x = to_gray(crop_and_shrink(load_image("chelsea"), 200))[None, :, 68:132, 68:132]
    problem = measured(operator, x, map_)
    warnings = reconstruct(problem, load_prior("photos-gray"), scale=1.0).warnings
    return any("noise map says in rows" in sentence for sentence in warnings)


@pytest.mark.parametrize("operator", OPERATORS, ids=["blur", "holes", "denoise"])
def test_nothing_is_said_of_the_right_map(operator: LinearOperator) -> None:
    assert not told(operator, variance())


def test_maps_of_another_measurement_and_of_one_region_are_told() -> None:
    assert told(OPERATORS[0], variance().flip(2))
    off = variance()
    off[..., :20] *= 4
    assert told(OPERATORS[0], off)
