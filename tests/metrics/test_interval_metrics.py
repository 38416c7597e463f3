"""Coverage and width of intervals with known ends."""

from __future__ import annotations

import pytest
import torch

from invscore.metrics import coverage, width
from invscore.uncertainty import Interval


def test_each_image_has_its_own() -> None:
    lower = torch.zeros(2, 1, 1, 4)
    upper = torch.tensor([1.0, 2.0])[:, None, None, None].expand(2, 1, 1, 4)
    truth = torch.tensor([[-1.0, 0.5, 0.7, 1.5], [0.1, 0.2, 0.3, 1.5]]).reshape(2, 1, 1, 4)
    assert coverage(Interval(lower, upper), truth).tolist() == [0.5, 1.0]
    assert width(Interval(lower, upper)).tolist() == [1.0, 2.0]


def test_complex_images_count_by_parts() -> None:
    interval = Interval(torch.zeros(1, 2) + 0j, torch.full((1, 2), 1 + 3j))
    truth = torch.tensor([[0.5 + 4j, 0.5 + 2j]])
    assert coverage(interval, truth).tolist() == [0.75]
    assert width(interval).tolist() == [2.0]


def test_wrong_shape() -> None:
    with pytest.raises(ValueError, match=r"`truth` must have the shape \(2, 3\), got \(3,\)"):
        coverage(Interval(torch.zeros(2, 3), torch.ones(2, 3)), torch.zeros(3))
