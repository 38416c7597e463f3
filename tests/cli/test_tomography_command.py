"""``invscore reconstruct --op ct``: scans of counts, and files that do not fit."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import Result

Run = Callable[..., Result]
h5py = pytest.importorskip("h5py")


@pytest.fixture
def scan(folder: Path) -> Path:
    """``scan.h5`` with two rows of 12 views of 20 detectors."""
    rng = np.random.default_rng(0)
    with h5py.File(folder / "scan.h5", "w") as file:
        file["exchange/data"] = rng.poisson(400, (12, 2, 20)).astype(np.uint16)
        file["exchange/data_white"] = rng.poisson(900, (5, 2, 20)).astype(np.uint16)
        file["exchange/data_dark"] = rng.poisson(4, (5, 2, 20)).astype(np.uint16)
        file["exchange/theta"] = 30.0 * np.arange(12)
    return folder / "scan.h5"


def test_counts_and_their_geometry(reconstruct: Run, scan: Path) -> None:
    done = reconstruct(
        *("--op", "ct(source_distance=40, detector_distance=20, pixel=1, center=9.2)"),
        *("--measurement", "scan.h5", "--index", "1", "--shape", "1,16,16"),
        *("--noise", "transmission", "--samples", "2", "--out", "o"),
    )
    assert done.exit_code == 0, done.output
    told = json.loads((scan.parent / "o/metrics.json").read_text())
    assert told["noise"] == "transmission()"
    assert "angles: 12, the theta of 'scan.h5'" in told["assumed"]
    assert any(each.startswith("photons: ") for each in told["assumed"])
    with h5py.File(scan.parent / "o/reconstruction.h5") as file:
        assert file["reconstruction"].shape == (1, 16, 16)


def test_rows_have_each_their_own_beam(reconstruct: Run, scan: Path) -> None:
    own = ("--op", "ct", "--measurement", "scan.h5", "--shape", "1,16,16", "--samples", "1")
    done = reconstruct(*own, "--noise", "transmission", "--out", "many")
    assert done.exit_code == 0, done.output
    for row in (0, 1):
        one = (*own, "--noise", "transmission", "--index", str(row), "--out", f"o{row}")
        assert reconstruct(*one).exit_code == 0
        alone, among = (
            np.load(scan.parent / f"{place}/arrays.npz")["y"]
            for place in (f"o{row}", f"many/scan-{row}")
        )
        np.testing.assert_array_equal(alone, among)
        told = [
            json.loads((scan.parent / f"{place}/metrics.json").read_text())["assumed"]
            for place in (f"o{row}", f"many/scan-{row}")
        ]
        assert told[0] == told[1]  # of their own white fields


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--index", "1", "--op", "ct(angles=5)"), r"(1, 5, 20), of channels, angles"),
        (("--index", "7", "--op", "ct"), "index must be from 0 to 1 along axis z"),
        (
            ("--index", "0", "--op", "ct", "--noise", "transmission(photons=3)"),
            "must have no options for 'scan.h5'",
        ),
        (("--index", "0", "--op", "ct(source_distance=1, pixel=1)"), "half diagonal of 11.31"),
        (("--index", "0", "--op", "ct(detector_distance=9)"), "`detector_distance` must be left"),
        (("--index", "0", "--op", "ct(center=500)"), "see the image, got 500: no ray meets it"),
        (("--index", "0", "--op", "ct(angles=words.txt)"), "must be numbers of degrees, got 'two'"),
        (("--index", "0", "--op", "ct(pixel=-1)"), "`pixel` must lie in (0, "),
    ],
)
def test_what_does_not_fit(
    arguments: tuple[str, ...], message: str, reconstruct: Run, scan: Path
) -> None:
    own = ("--measurement", "scan.h5", "--shape", "1,16,16", "--out", "o")
    (scan.parent / "words.txt").write_text("1\ntwo\n")
    done = reconstruct(*own, *arguments)
    assert done.exit_code == 2, done.output
    assert message in " ".join(done.output.split())
    assert not (scan.parent / "o").exists()


def test_files_that_are_broken(reconstruct: Run, scan: Path) -> None:
    own = ("--op", "ct", "--shape", "1,16,16", "--index", "0", "--out", "o")
    (scan.parent / "cut.h5").write_bytes(scan.read_bytes()[: scan.stat().st_size // 2])
    with h5py.File(scan.parent / "keys.h5", "w") as file:
        file["exchange/data"] = np.ones((12, 2, 20))
        file["exchange/theta"] = np.arange(12.0)
    with h5py.File(scan, "a") as file:
        del file["exchange/theta"]
        file["exchange/theta"] = np.arange(11.0)
    for name, message in (
        ("cut.h5", "cannot be read as HDF5"),
        ("keys.h5", "must hold exchange/data_white, counts without a sample"),
        ("scan.h5", "must have an angle for each of 12 projections"),
    ):
        done = reconstruct(*own, "--measurement", name)
        assert done.exit_code == 2, done.output
        assert message in " ".join(done.output.split()), done.output
