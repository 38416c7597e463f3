"""The frequencies at which the periodogram of a picture is compared."""

from __future__ import annotations

import math

from invscore.estimation.periodogram import _frequencies


def test_frequencies_from_two_and_a_half_periods_in_a_half_plane() -> None:
    """One of each pair of opposite ones; below, the window leaks what is constant."""
    height, width = 12, 10
    looked_at = {
        (k, n)
        for k in range(-height // 2, height // 2)
        for n in range(-width // 2, width // 2)
        if (k > 0 or (k == 0 and n > 0))
        and math.hypot(k, n) >= 2.5
        and math.hypot(k / height, n / width) <= 0.5
    }
    _, _, used, summands = _frequencies((height, width))
    rows, columns = used.nonzero().T.tolist()
    found = {
        (k - height * (k >= height // 2), n - width * (n >= width // 2))
        for k, n in zip(rows, columns, strict=True)
    }
    assert found == looked_at
    assert summands.shape == (6, len(looked_at))
