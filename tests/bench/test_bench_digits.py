"""Measurements of a generator of digits, on a classifier and a prior in closed form."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor

from invscore.bench.digits import likelihoods, mean_and_error, moved, recognise, spoiled
from invscore.priors import GaussianPrior


class ByTheFirstPixel:
    """Class 0, 1 or 2 by a first pixel below 1/3, below 2/3 or above; sure unless near 1/2."""

    def predict_proba(self, x: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        assert x.min() >= 0
        assert x.max() <= 1
        sure = np.where(np.abs(x[:, 0] - 0.5) < 0.1, 0.8, 0.95)
        chosen = np.minimum((3 * x[:, 0]).astype(int), 2)
        probabilities = np.repeat((1 - sure)[:, None] / 2, 3, axis=1)
        probabilities[np.arange(len(x)), chosen] = sure
        return probabilities


def test_confident_images_and_classes_are_counted() -> None:
    first = torch.tensor([-0.2, 0.1, 0.5, 0.55, 1.3])
    images = first.reshape(-1, 1, 1, 1).expand(-1, 1, 2, 2)
    found = recognise(ByTheFirstPixel(), images)
    assert found.confident == pytest.approx(3 / 5)
    assert found.histogram == pytest.approx((2 / 5, 2 / 5, 1 / 5))
    assert found.largest_deviation == pytest.approx(1 / 3 - 1 / 5)


def test_copies_are_moved_by_a_pixel() -> None:
    images = np.zeros((2, 1, 5, 5), dtype=np.float32)
    images[0, 0, 2, 2], images[1, 0, 1, 3] = 1, 2
    copies = moved(images).reshape(9, 2, 5, 5)
    np.testing.assert_array_equal(copies[0], images[:, 0])
    found = np.argwhere(copies)
    around = {(down, right) for down in (-1, 0, 1) for right in (-1, 0, 1)}
    assert {(y - 2, x - 2) for _, k, y, x in found if k == 0} == around
    assert {(y - 1, x - 3) for _, k, y, x in found if k == 1} == around


def test_spoiled_images_keep_their_values_alone() -> None:
    images = torch.rand(3, 1, 5, 5, generator=torch.Generator().manual_seed(0))
    found = spoiled(images)
    for guise in found.values():
        assert guise.shape == images.shape
        assert not torch.equal(guise, images)
        assert torch.equal(guise.flatten(1).sort().values, images.flatten(1).sort().values)
    assert torch.equal(found["rotated"].rot90(3, dims=(-2, -1)), images)
    orders = spoiled(torch.arange(25.0).reshape(1, 1, 5, 5).expand(2, -1, -1, -1))["shuffled"]
    assert not torch.equal(orders[0], orders[1])


def gaussian_log_density(x: Tensor, mean: Tensor, variance: float) -> Tensor:
    d = mean.numel()
    square = (x - mean).square().flatten(1).sum(dim=1)
    return -square / (2 * variance) - d / 2 * math.log(2 * math.pi * variance)


def test_likelihoods_are_those_of_the_prior() -> None:
    mean = torch.linspace(0, 1, 16, dtype=torch.float64).reshape(1, 4, 4)
    prior = GaussianPrior(mean, 0.04)
    images = mean.expand(2, -1, -1, -1)
    found = likelihoods(prior, images, sigma_min=1e-3, sigma_max=30.0)
    guises = {"digits": images, **spoiled(images)}
    assert set(found) == set(guises)
    for name, guise in guises.items():
        # The noise of dequantisation, at most 1/510 a pixel, moves no more than this.
        expected = gaussian_log_density(guise, mean, 0.04)
        torch.testing.assert_close(found[name], expected, rtol=0, atol=0.5)
    assert (found["digits"] > found["shuffled"] + 10).all()
    assert (found["digits"] > found["rotated"] + 10).all()


def test_the_error_of_a_mean() -> None:
    mean, error = mean_and_error(torch.tensor([1.0, 2.0, 6.0]))
    assert mean == pytest.approx(3.0)
    assert error == pytest.approx(math.sqrt(7 / 3))
