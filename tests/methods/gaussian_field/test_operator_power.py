"""Estimated gains of an operator: how far they are noise, by closed forms."""

from __future__ import annotations

import pytest
import torch

from invscore.methods.gaussian_field.operator_power import steadied


@pytest.mark.parametrize(("signs", "noise"), [((1, -1), 0.01), ((1, 0, -1), 0.01 / 3)])
def test_estimates_are_drawn_together_as_far_as_they_are_noise(
    signs: tuple[int, ...], noise: float
) -> None:
    """Two gains, 1 and 3, of variance 1 about their mean 2, each estimate off by 0.1 or nothing."""
    gains = torch.tensor([1.0, 3.0], dtype=torch.float64).expand(4, 2)[None, None]
    found = torch.stack([gains + 0.1 * sign for sign in signs])
    kept = found.clone()
    drawn, error = steadied(found)
    added = ((1 - noise) * noise) ** 0.5
    expected = 2 + (gains - 2) * (1 - noise) + added
    assert drawn.shape == gains.shape
    torch.testing.assert_close(drawn, expected, rtol=0, atol=1e-13)
    torch.testing.assert_close(error.squeeze(), torch.tensor(noise**0.5, dtype=torch.float64))
    assert torch.equal(found, kept)
