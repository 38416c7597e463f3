"""Compressed sensing: an isometry, and a random part of it."""

import pytest
import torch

from invscore.operators import CompressedSensing

X = torch.rand(4, 3, 30, 20, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def test_everything_measured_is_an_isometry() -> None:
    operator = CompressedSensing((3, 30, 20), ratio=1.0)
    y = operator(X)
    torch.testing.assert_close(y.square().sum(dim=(2, 3)), X.square().sum(dim=(2, 3)))
    torch.testing.assert_close(operator.rmatvec(y), X)


def test_the_fraction_is_measured() -> None:
    operator = CompressedSensing((3, 30, 20), ratio=0.3, seed=2)
    assert operator.measured.shape == (3, 30, 20)
    assert int(operator.measured.sum()) == 3 * 180
    y = operator(X)
    assert y[:, ~operator.measured].abs().max() == 0
    # A A^T is the identity where something is measured.
    torch.testing.assert_close(operator(operator.rmatvec(y)), y)
    assert operator.norm() == 1


def test_solve_in_closed_form() -> None:
    """A^T A is a projection P: (P + rho)^-1 = (1 - P / (1 + rho)) / rho."""
    operator, rho = CompressedSensing((3, 30, 20)), 0.2
    expected = (X - operator.normal(X) / (1 + rho)) / rho
    torch.testing.assert_close(operator.solve(X, rho), expected)


def test_signs_spread_an_image_over_all_frequencies() -> None:
    """Each measured number has the same share of the energy of a flat image, in the mean square."""
    flat = torch.ones(1, 1, 32, 32, dtype=torch.float64)
    draws = torch.cat([CompressedSensing((1, 32, 32), 1.0, seed)(flat) for seed in range(40)])
    power = draws.square().mean(dim=0)
    # Each is close to the square of a standard normal: 1, deviation sqrt(2 / 40) = 0.22.
    assert float(power.mean()) == pytest.approx(1)
    assert float(power.max()) < 1 + 6 * 0.22
    assert float(power[0, 0, 0]) < 1 + 4 * 0.22


def test_signs_and_mask_follow_the_seed() -> None:
    first, again, other = (CompressedSensing((3, 30, 20), 0.5, seed) for seed in (0, 0, 1))
    assert torch.equal(first(X), again(X))
    assert not torch.equal(first.measured, other.measured)
    assert torch.equal(first.measured[0], first.measured[2])
    colours = first(X[:, :1].expand(-1, 3, -1, -1))
    assert torch.equal(colours[:, 0], colours[:, 2])


def test_errors() -> None:
    with pytest.raises(ValueError, match=r"`ratio` must lie in \(0, 1\], got 1.5"):
        CompressedSensing((1, 8, 8), ratio=1.5)
    with pytest.raises(ValueError, match=r"`in_shape` must be .* \(c, h, w\), got \(8, 8\)"):
        CompressedSensing((8, 8))
