"""Slices of the brain, from a stand-in for the template."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch

from invscore.bench import brain

SHAPE = (197, 233, 189)


@pytest.fixture
def template(monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    volume = np.random.default_rng(0).random(SHAPE, dtype=np.float32)
    monkeypatch.setattr(brain, "_template", lambda: volume)
    return volume


def test_slices_are_spread_over_the_volume() -> None:
    assert len(brain.NAMES) == 12
    for axis, size in zip(brain.AXES, SHAPE, strict=True):
        places = [int(name.split("-")[1]) for name in brain.NAMES if name.startswith(axis)]
        assert len(set(places)) == 4
        assert 0.2 * size < min(places) < max(places) < 0.8 * size


@pytest.mark.parametrize(
    ("name", "across"), [("sagittal-77", 0), ("coronal-105", 1), ("axial-80", 2)]
)
def test_the_magnitude_is_the_template(name: str, across: int, template: np.ndarray) -> None:
    image = brain.brain_slice(name)
    plane = np.take(template, int(name.split("-")[1]), across)
    assert image.dtype == torch.complex64
    assert image.shape == (1, plane.shape[1], plane.shape[0])
    upright = torch.from_numpy(plane.T[::-1].copy())  # the third axis, or the second, points up
    torch.testing.assert_close(image[0].abs(), upright)


def test_the_phase_is_smooth_and_a_slices_own() -> None:
    first, second = (brain.smooth_phase(number, 180, 200) for number in (0, 1))
    for phase in (first, second):
        assert max(np.abs(np.diff(phase, axis=axis)).max() for axis in (0, 1)) < 0.05
        assert np.ptp(phase) > 1
    assert np.abs(first - second).mean() > 0.5
    assert np.array_equal(first, brain.smooth_phase(0, 180, 200))


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    brain._template.cache_clear()
    monkeypatch.setitem(sys.modules, "nilearn.datasets", None)
    with pytest.raises(ValueError, match="need the package nilearn"):
        brain.brain_slice("axial-80")
