"""A mask that contradicts what a measurement holds outside it is told."""

from __future__ import annotations

import pytest
import torch

from invscore import GaussianNoise, GaussianPrior, InverseProblem, reconstruct
from invscore.operators import MRI, Inpainting

SHAPE = (1, 32, 32)
RANDOM = torch.Generator().manual_seed(0)
PICTURE = torch.rand(2, *SHAPE, generator=RANDOM)
MASK = torch.rand(32, 32, generator=RANDOM) < 0.4
LINES = torch.zeros(32, dtype=torch.bool)
LINES[::3] = LINES[14:19] = True
KSPACE = torch.complex(torch.randn(2, *SHAPE, generator=RANDOM), PICTURE)


def told(operator: Inpainting | MRI, y: torch.Tensor) -> tuple[str, ...]:
    return InverseProblem(operator, y, GaussianNoise(0.1)).doubts


@pytest.mark.parametrize("shade", [0.0, 1.0, float("nan")])
def test_a_mask_that_is_inverted(shade: float) -> None:
    y = PICTURE.masked_fill(~MASK, shade)
    assert told(Inpainting(MASK, SHAPE), y) == ()
    if shade == shade:
        (sentence,) = told(Inpainting(~MASK, SHAPE), y)
        count = 2 * int((~MASK).sum())
        assert sentence.startswith(f"all {count} numbers that the mask calls measured are exactly")
        assert "invert=true" in sentence


def test_what_lies_outside_a_mask_may_be_anything() -> None:
    assert told(Inpainting(MASK, SHAPE), PICTURE) == ()
    assert told(Inpainting(MASK, SHAPE), torch.zeros(2, *SHAPE)) == ()
    dark = PICTURE.masked_fill(PICTURE < 0.7, 0.0)  # as digits are
    assert told(Inpainting(MASK, SHAPE), dark) == ()


@pytest.mark.parametrize("turned", [False, True])
def test_lines_of_k_space_of_another_mask(turned: bool) -> None:
    lines = LINES[:, None] if turned else LINES
    y = KSPACE * lines

    def of(mask: torch.Tensor) -> tuple[str, ...]:
        return told(MRI(mask[:, None] if turned else mask, SHAPE), y)

    assert of(LINES) == ()
    for wrong in (~LINES, torch.fft.fftshift(LINES)):
        (sentence,) = of(wrong)
        empty, left = int((wrong & ~LINES).sum()), int((LINES & ~wrong).sum())
        name = "rows" if turned else "columns"
        assert f"{empty} of the {int(wrong.sum())} {name} of k-space" in sentence
        assert f"and {left} that it does not" in sentence


def test_k_space_with_zeros_at_its_border_has_no_other_mask() -> None:
    outer = (torch.arange(32) - 16).abs() > 13
    assert told(MRI(LINES, SHAPE), KSPACE.masked_fill(outer, 0)) == ()  # retrospectively
    assert told(MRI(LINES | outer, SHAPE), (KSPACE * LINES).masked_fill(outer, 0)) == ()
    points = torch.rand(32, 32, generator=RANDOM) < 0.4
    assert told(MRI(points, SHAPE), KSPACE * LINES) == ()


def test_a_result_says_so() -> None:
    y = PICTURE.masked_fill(~MASK, 0.0)
    prior = GaussianPrior(torch.full(SHAPE, 0.5), 0.04)
    problem = InverseProblem(Inpainting(~MASK, SHAPE), y, GaussianNoise(0.1))
    result = reconstruct(problem, prior, method="matched_spectrum", steps=2, scale=1.0)
    assert "the mask is inverted" in result.warnings[0]
