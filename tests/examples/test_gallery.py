"""Every job of the gallery beats the field's plain baseline, with intervals that hold the truth."""

from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path

import numpy as np
import pytest

GALLERY = Path(__file__).parents[2] / "examples/gallery"
OTHERS = {"__main__", "heads", "running", "scenes"}
JOBS = sorted(file.stem for file in GALLERY.glob("*.py") if file.stem not in OTHERS)
NATIVE = {
    "sky_with_noise_map": "reconstruction.fits",
    "fan_beam_low_dose": "reconstruction.h5",
    "rician_head": "reconstruction.nii.gz",
    "speckle_looks": "reconstruction.mat",
    "thick_slices": "reconstruction.nii.gz",
    "z_stack": "reconstruction.tif",
}
"""Results in the format of the measurement."""
SMALL: dict[str, dict[str, object]] = {
    "dynamic_mri": {"FRAMES": 2},
    "thick_slices": {"SIZE": (24, 28, 24)},
    "z_stack": {"SEEN": (8, 24, 24)},
    "speckle_looks": {"SIZE": 64},
}
"""What takes long is tested with less."""
HEADS = ("dynamic_mri", "fastmri_multicoil", "radial_mri", "rician_head", "thick_slices")
"""Jobs that measure the template of nilearn."""
WHOLE = ("blind_motion", "dynamic_mri", "thick_slices")
"""Jobs that are tested as they are; the others by two samples."""


@pytest.fixture(autouse=True)
def gallery(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(GALLERY))


@pytest.mark.parametrize("name", JOBS)
def test_a_job_beats_its_baseline(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = pytest.importorskip("running")
    if name in HEADS:
        pytest.importorskip("nilearn")
    try:
        for option, value in SMALL.get(name, {}).items():
            monkeypatch.setattr(importlib.import_module(name), option, value)
        if name not in WHOLE:
            job = importlib.import_module(name)
            monkeypatch.setattr(job, "COMMAND", job.COMMAND + " --samples 2")
        outcome = running.run(name, tmp_path)
    except ImportError as error:
        pytest.skip(f"needs {error.name}")
    assert outcome.margin > 0.5
    assert 0.8 < outcome.coverage < 0.97
    row = outcome.row()
    assert re.fullmatch(
        r"\| [^|]+ \| [^|]+ \| [\d.]+ \| [\d.]+ \| \+[\d.]+ \| \d+% \| \d+ s \|", row
    )
    running.save_pictures(outcome, tmp_path / "picture.png")
    assert (tmp_path / "picture.png").stat().st_size > 10_000
    if name in NATIVE:
        assert (tmp_path / "results" / NATIVE[name]).exists()


def test_the_sky_keeps_its_coordinates(tmp_path: Path) -> None:
    fits = pytest.importorskip("astropy.io.fits")
    running = pytest.importorskip("running")
    sky = pytest.importorskip("sky_with_noise_map")
    sky.measure(tmp_path)
    running.by_command(sky.COMMAND + " --steps 1 --samples 2", tmp_path)
    given, made = tmp_path / "sky.fits", tmp_path / "results/reconstruction.fits"
    before, after = fits.getheader(given, "SCI"), fits.getheader(made)
    for keyword in ("CTYPE1", "CRVAL1", "CRPIX1", "CRPIX2", "CDELT2", "BUNIT"):
        assert after[keyword] == before[keyword]
    assert 100 < fits.getdata(made).max() < 2000  # counts


def test_thin_slices_lie_where_the_thick_ones_did(tmp_path: Path) -> None:
    nibabel = pytest.importorskip("nibabel")
    pytest.importorskip("nilearn")
    running = pytest.importorskip("running")
    job = importlib.import_module("thick_slices")
    job.measure(tmp_path)
    running.by_command(job.COMMAND + " --steps 1 --planes hw", tmp_path)
    thick = nibabel.load(tmp_path / "head.nii.gz")
    thin = nibabel.load(tmp_path / "results/reconstruction.nii.gz")
    assert thin.shape == job.SIZE
    assert thin.header.get_zooms() == (1, 1, 1)
    first, last = [-0.5, -0.5, -0.5, 1], np.array([n - 0.5 for n in job.SIZE] + [1])
    np.testing.assert_allclose(thin.affine @ first, thick.affine @ first)
    np.testing.assert_allclose(
        thin.affine @ last, thick.affine @ [*last[:2], thick.shape[2] - 0.5, 1]
    )


def test_the_runner_knows_its_jobs() -> None:
    running = pytest.importorskip("running")
    assert running.jobs() == JOBS
    assert running.split('a "b c(d=1)" e') == ["a", "b c(d=1)", "e"]
    assert str(GALLERY) in sys.path
