"""Pixels that are measured one by one."""

from __future__ import annotations

import pytest
import torch

from invscore.likelihood import GaussianNoise, InverseProblem
from invscore.operators import Blur, Identity, Inpainting, Mosaic, NonlinearOperator, Operator
from invscore.uncertainty.measured import measured_pixels

MASK = torch.rand(12, 16, generator=torch.Generator().manual_seed(0)) < 0.4


class Square(NonlinearOperator):
    """``x^2``."""

    in_shape = out_shape = (1, 4, 4)

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        return x**2


def problem(operator: Operator) -> InverseProblem:
    return InverseProblem(operator, torch.zeros(2, *operator.out_shape), GaussianNoise(0.1))


def test_masks_and_mosaics() -> None:
    found = measured_pixels(problem(Inpainting(MASK, (3, 12, 16))))
    assert found is not None
    assert torch.equal(found, MASK.expand(3, 12, 16))
    found = measured_pixels(problem(2.0 * Inpainting(0.5 * MASK, (1, 12, 16))))
    assert found is not None
    assert torch.equal(found[0], MASK)
    bayer = measured_pixels(problem(Mosaic.bayer("RGGB", (3, 4, 6))))
    assert bayer is not None
    assert bayer.sum((1, 2)).tolist() == [6, 12, 6]


@pytest.mark.parametrize(
    "operator",
    [
        Identity((1, 8, 8)),
        3.0 * Identity((1, 8, 8)),
        Inpainting(torch.linspace(0.1, 1, 64).reshape(8, 8)),
        Blur.gaussian(0.6, (1, 8, 8), size=5),
        Blur.gaussian(1.0, (1, 12, 16), size=7) @ Inpainting(MASK),
        Square(),
    ],
    ids=["identity", "scaled", "vignette", "blur", "blurred mask", "square"],
)
def test_others(operator: Operator) -> None:
    assert measured_pixels(problem(operator)) is None


@pytest.mark.parametrize(("precision", "measured"), [(1e-5, True), (1e-7, False)])
def test_next_to_nothing_is_not_measured(precision: float, measured: bool) -> None:
    weight = torch.where(MASK, 1.0, precision**0.5)
    found = measured_pixels(problem(Inpainting(weight, (1, 12, 16))))
    assert (found is None) is measured
    assert found is None or torch.equal(found[0], MASK)


@pytest.mark.parametrize(("beside", "alone"), [(1e-5, True), (5e-3, False)])
def test_pixels_are_alone_up_to_rounding(beside: float, alone: bool) -> None:
    """Of a blur that brings so much of two neighbours."""
    kernel = torch.tensor([[beside, 1.0, beside]])
    operator = Blur(kernel, (1, 12, 16)) @ Inpainting(MASK, (1, 12, 16))
    assert (measured_pixels(problem(operator)) is not None) is alone
