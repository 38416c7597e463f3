"""Crops of a head as configs/train/brain.py makes them, from a ball in a shell."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from invscore.plugins.modules import load_module

nibabel = pytest.importorskip("nibabel")

BRAIN = Path(__file__).parents[2] / "configs" / "train" / "brain.py"
SKULL, TISSUE, FOLD = 1.0, 0.7, 0.3


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A brain of radius 20 mm with a fold that is dark and thin, and a skull around it."""
    for name, side, voxel in (("ch2", 64, 1.0), ("ch2better", 128, 0.5)):
        place = (np.arange(side) - (side - 1) / 2) * voxel
        x, y, z = np.meshgrid(place, place, place, indexing="ij")
        radius = np.sqrt(x**2 + y**2 + z**2)
        fold = (np.abs(x) < 1) & (radius < 20)
        head = np.where(radius < 20, TISSUE, 0.0)
        head[fold] = FOLD if name == "ch2" else 0.0
        if name == "ch2":
            head[(radius > 24) & (radius < 28)] = SKULL
        affine = np.diag([voxel, voxel, voxel, 1.0])
        affine[:3, 3] = place[0]
        nibabel.save(
            nibabel.Nifti1Image(head.astype(np.float32), affine), tmp_path / f"{name}.nii.gz"
        )
    return tmp_path


@pytest.fixture
def draw(folder: Path) -> Callable[..., np.ndarray]:
    slices = load_module(BRAIN).slices

    def drawn(count: int, seed: int = 0, split: str = "train") -> np.ndarray:
        made: np.ndarray = slices(
            count, np.random.default_rng(seed), split, folder=str(folder), crop=32
        )
        return made

    return drawn


def test_complex_crops_of_a_peak_of_one(draw: Callable[..., np.ndarray]) -> None:
    crops = draw(60)
    assert crops.shape == (60, 1, 32, 32)
    assert crops.dtype == np.complex64
    assert 0.8 < np.quantile(np.abs(crops), 0.99) < 1.1
    assert np.array_equal(crops, draw(60))
    assert not np.array_equal(crops[:5], draw(5, split="val"))


def test_the_brain_is_cut_out_with_its_folds(folder: Path) -> None:
    """Without the skull, with the fluid of the fold, which the finer volume has not."""
    module = load_module(BRAIN)
    extracted = next(source for source in module.SOURCES if source.extracted)
    values, inside = module._volume(extracted, folder)
    centre = values.shape[0] // 2
    assert inside[centre, centre, centre] == 1
    np.testing.assert_allclose(values[centre, centre, centre], FOLD / TISSUE, rtol=1e-4)
    cut = values * inside
    np.testing.assert_allclose(cut.max(), 1, rtol=1e-4)  # the tissue; the skull would be 10 / 7
    place = np.arange(64) - 63 / 2
    radius = np.linalg.norm(np.meshgrid(place, place, place, indexing="ij"), axis=0)
    assert not inside[radius > 24].any()
    assert inside[radius < 20].all()
