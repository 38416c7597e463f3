"""The held-out images: which a prior gets, and what they look like."""

from __future__ import annotations

import pytest

from invscore.bench.held_out import COLLECTIONS, choose_collection

SMALL = 32


@pytest.mark.parametrize(
    ("channels", "complex_valued", "collection"),
    [(1, False, "gray"), (3, False, "colour"), (1, True, "brain")],
)
def test_the_images_fit_the_prior(channels: int, complex_valued: bool, collection: str) -> None:
    assert choose_collection(channels, complex_valued=complex_valued) == collection


def test_other_priors_have_no_images() -> None:
    with pytest.raises(ValueError, match="got complex ones of 3"):
        choose_collection(3, complex_valued=True)


@pytest.mark.parametrize(("collection", "channels"), [("gray", 1), ("colour", 3)])
def test_photographs_are_gray_and_in_colour(collection: str, channels: int) -> None:
    chosen = COLLECTIONS[collection]
    for name in chosen.names:
        image = chosen.load(name, SMALL)
        assert image.shape == (channels, SMALL, SMALL)
        if channels == 3:
            red, _, blue = image
            assert (red - blue).abs().mean() > 0.01


def test_slices_are_shrunk_where_they_are_larger() -> None:
    pytest.importorskip("nilearn")
    chosen = COLLECTIONS["brain"]
    small, whole = (chosen.load("axial-80", size) for size in (SMALL, 256))
    assert small.shape == (1, SMALL, SMALL)
    assert min(whole.shape[1:]) > 150
    assert small.is_complex()
    assert whole.is_complex()
