"""Sizes that no machine has are refused before a network is built."""

from __future__ import annotations

import pytest

from invscore.networks.check import check_architecture


@pytest.mark.parametrize("width", [10**6, 10**9, 10**12, 10**30])
def test_widths_without_bounds(width: int) -> None:
    with pytest.raises(ValueError, match="weights"):
        check_architecture("unet", channels=1, widths=[width, width], blocks=1)


def test_the_weights_of_a_network_are_counted() -> None:
    few = check_architecture("unet", channels=1, widths=[8, 16], blocks=1)
    assert 1_000 < few < check_architecture("unet", channels=1, widths=[16, 32], blocks=1)
