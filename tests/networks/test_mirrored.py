"""Continuation by reflection, beside NumPy's."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from invscore.networks.mirrored import mirrored


@pytest.mark.parametrize("size", [(5, 4), (6, 9), (23, 4), (40, 31), (3, 2)])
def test_images_are_continued_as_often_as_it_takes(size: tuple[int, int]) -> None:
    image = torch.arange(40.0).reshape(2, 5, 4)
    margins = [(0, 0), *((0, max(0, n - m)) for n, m in zip(size, (5, 4), strict=True))]
    expected = np.pad(image.numpy(), margins, mode="reflect")
    assert np.array_equal(mirrored(image, size).numpy(), expected)


def test_a_single_pixel_is_repeated() -> None:
    assert torch.equal(mirrored(torch.full((1, 1, 1), 0.5), (3, 2)), torch.full((1, 3, 2), 0.5))
