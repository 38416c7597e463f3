"""Digits that configs/train/digits.py deforms: as if another hand had written them."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from scipy.ndimage import center_of_mass, gaussian_filter

from invscore.modules import load_module

RECIPE = Path(__file__).parents[2] / "configs" / "train" / "digits.py"


@pytest.fixture
def recipe() -> ModuleType:
    return load_module(RECIPE)


@pytest.fixture
def stroke() -> np.ndarray:
    """A smooth upright bar, off the centre."""
    image = np.zeros((28, 28), dtype=np.float32)
    image[6:22, 11:14] = 1
    return gaussian_filter(image, 0.7)


def deformations(
    recipe: ModuleType, image: np.ndarray, count: int = 100, **chosen: float
) -> list[np.ndarray]:
    """Many of them; of TURN, SLANT, STRETCH and WAVE, only what is chosen is not 0."""
    for name in ("TURN", "SLANT", "STRETCH", "WAVE"):
        setattr(recipe, name, chosen.get(name, 0.0))
    random = np.random.default_rng(0)
    return [recipe.deform(image, random) for _ in range(count)]


def tilt(image: np.ndarray) -> float:
    """The slope of the bar: columns a row, by its second moments."""
    rows, columns = np.indices(image.shape)
    row, column = center_of_mass(image)
    inertia = image * (rows - row)
    return float((inertia * (columns - column)).sum() / (inertia * (rows - row)).sum())


def test_nothing_changes_where_nothing_is_asked(recipe: ModuleType, stroke: np.ndarray) -> None:
    (same,) = deformations(recipe, stroke, 1)
    assert same.dtype == np.float32
    np.testing.assert_allclose(same, stroke, atol=1e-5)


def test_the_centre_of_mass_is_kept(recipe: ModuleType, stroke: np.ndarray) -> None:
    everything = {"TURN": 0.06, "SLANT": 0.08, "STRETCH": 0.04, "WAVE": 0.6}
    for image in deformations(recipe, stroke, **everything):
        assert 0 <= image.min() < image.max() <= 1
        np.testing.assert_allclose(center_of_mass(image), center_of_mass(stroke), atol=0.25)
        assert np.abs(image - stroke).max() > 0.02


@pytest.mark.parametrize("kind", ["TURN", "SLANT"])
def test_bars_tilt_by_as_much_as_is_said(recipe: ModuleType, stroke: np.ndarray, kind: str) -> None:
    tilts = np.array([tilt(image) for image in deformations(recipe, stroke, **{kind: 0.08})])
    spread = tilts.std()
    assert spread == pytest.approx(0.08, rel=5 / np.sqrt(2 * len(tilts)))
    assert abs(tilts.mean()) < 5 * spread / np.sqrt(len(tilts))


def test_bars_stretch_by_as_much_as_is_said(recipe: ModuleType, stroke: np.ndarray) -> None:
    areas = [image.sum() / stroke.sum() for image in deformations(recipe, stroke, STRETCH=0.04)]
    # Height and width stretch each by itself.
    assert np.log(areas).std() == pytest.approx(0.04 * 2**0.5, rel=0.25)


def test_waves_move_places_by_as_much_as_is_said(
    recipe: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a ramp that is not brought back to its centre: the change of its values."""
    monkeypatch.setattr(recipe, "center_of_mass", lambda image: (0.0, 0.0))
    ramp = np.tile(np.linspace(0.25, 0.75, 28, dtype=np.float32), (28, 1))
    moved = np.stack(deformations(recipe, ramp, WAVE=0.3)) - ramp
    inner = slice(4, 24)
    assert (moved[:, inner, inner] * 27 / 0.5).std() == pytest.approx(0.3, rel=0.15)


def test_a_share_of_the_training_digits_is_deformed(
    recipe: ModuleType, monkeypatch: pytest.MonkeyPatch, stroke: np.ndarray
) -> None:
    original = np.stack([stroke[None]] * 3)
    monkeypatch.setattr(recipe, "labelled", lambda split: (original, np.arange(3)))

    def changed(split: str, **options: float) -> float:
        images = recipe.digits(300, np.random.default_rng(0), split, **options)
        assert images.shape == (300, 1, 28, 28)
        return float((np.abs(images - stroke).max(axis=(1, 2, 3)) > 1e-3).mean())

    assert changed("train") == 0
    assert changed("train", deformed=0.3) == pytest.approx(0.3, abs=0.1)
    assert changed("val", deformed=1.0) == 0
    np.testing.assert_array_equal(original, np.stack([stroke[None]] * 3))
