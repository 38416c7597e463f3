"""``invscore reconstruct`` on the files of instruments: parts of them, results like them, holes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import Result

from invscore.images import load_image

Run = Callable[..., Result]
PARTS = ("--op", "denoise", "--noise", "0.05", "--out", "o")


@pytest.fixture
def pixels(folder: Path) -> np.ndarray:  # noqa: ARG001
    return load_image("gray.png")[0, :32, :24].numpy()


def mean(folder: Path) -> np.ndarray:
    return np.load(folder / "o" / "arrays.npz")["mean"]


def test_a_slice_of_a_volume_goes_back_to_its_place(
    reconstruct: Run, folder: Path, pixels: np.ndarray
) -> None:
    nibabel = pytest.importorskip("nibabel")
    volume = np.stack([0 * pixels, pixels, 1 - pixels], axis=2)
    affine = np.diag([2.0, 3.0, 4.0, 1.0])
    nibabel.Nifti1Image(volume, affine).to_filename("head.nii.gz")
    done = reconstruct("--measurement", "head.nii.gz", "--index", "1", *PARTS)
    assert done.exit_code == 0, done.output
    result = nibabel.load("o/reconstruction.nii.gz")
    np.testing.assert_array_equal(result.get_fdata()[..., 0], mean(folder)[0])
    np.testing.assert_allclose(result.affine @ [0, 0, 0, 1], [0, 0, 4, 1])
    spread = nibabel.load("o/std.nii.gz").get_fdata()[..., 0]
    np.testing.assert_array_equal(spread, np.load("o/arrays.npz")["std"][0])

    # Another format, and what the first one left behind goes.
    fits = pytest.importorskip("astropy.io.fits")
    fits.PrimaryHDU(pixels, fits.Header({"OBJECT": "M 31"})).writeto("sky.fits")
    done = reconstruct("--measurement", "sky.fits", *PARTS)
    assert done.exit_code == 0, done.output
    assert not (folder / "o" / "reconstruction.nii.gz").exists()
    assert fits.getheader("o/reconstruction.fits")["OBJECT"] == "M 31"


def test_results_are_in_the_units_of_the_file(
    reconstruct: Run, folder: Path, pixels: np.ndarray
) -> None:
    tifffile = pytest.importorskip("tifffile")
    tifffile.imwrite("deep.tif", (65535 * pixels).round().astype(np.uint16))
    done = reconstruct("--measurement", "deep.tif", *PARTS)
    assert done.exit_code == 0, done.output
    result = tifffile.imread("o/reconstruction.tif")
    np.testing.assert_allclose(result, 65535 * mean(folder)[0], rtol=1e-6)


@pytest.mark.filterwarnings("ignore:.*as with 12 bits")
@pytest.mark.parametrize(("peak", "alone"), [(4095, False), (65535, True)])
def test_pictures_of_few_bits_have_a_scale(
    reconstruct: Run, folder: Path, pixels: np.ndarray, peak: int, alone: bool
) -> None:
    """As the same numbers in another unit have; bright ones are taken as they are."""
    stored = (peak * pixels / pixels.max()).round().astype(np.uint16)
    np.save("y.npy", stored)
    np.save("volts.npy", 1.0001 * stored.astype(np.float64))
    options = ("--op", "denoise", "--out", "o")
    done = reconstruct("--measurement", "y.npy", "--noise", str(0.05 * peak / 65535), *options)
    assert done.exit_code == 0, done.output
    shades = mean(folder)
    told = json.loads((folder / "o" / "metrics.json").read_text())
    assert (told["scale"] == 1) == alone
    done = reconstruct("--measurement", "volts.npy", "--noise", str(0.05 * peak), *options)
    assert done.exit_code == 0, done.output
    if not alone:
        np.testing.assert_allclose(65535 * shades, mean(folder), rtol=1e-2, atol=1e-3 * peak)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--index", "7"], "index must be from 0 to 2 along axis z"),
        (["--index", "a"], "index must be numbers such as 3 or z=3,t=0, got 'a'"),
        (["--axes", "hw"], "axes must name 3 axes"),
        (["--axes", "h?w"], "by one letter"),
        (["--key", "x"], "key must be left out"),
        (["--reader", "own.py:nothing"], "'own.py' defines no 'nothing'"),
        (["--reader", "own.py:broken"], "ZeroDivisionError: division by zero (own.py, line 5)"),
    ],
)
def test_wrong_parts(reconstruct: Run, folder: Path, options: list[str], message: str) -> None:
    nibabel = pytest.importorskip("nibabel")
    nibabel.Nifti1Image(np.ones((8, 9, 3)), np.eye(4)).to_filename("a.nii")
    (folder / "own.py").write_text(OWN)
    done = reconstruct("--measurement", "a.nii", "--op", "denoise", *options)
    assert done.exit_code == 2
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


OWN = """import numpy as np
def columns(path):
    return np.loadtxt(path)
def broken(path):
    return 1 / 0
"""


def test_a_reader_of_ones_own(reconstruct: Run, folder: Path, pixels: np.ndarray) -> None:
    (folder / "own.py").write_text(OWN)
    np.savetxt("a.txt", pixels)
    done = reconstruct("--measurement", "a.txt", "--reader", "own.py:columns", *PARTS)
    assert done.exit_code == 0, done.output
    np.testing.assert_allclose(np.load("o/arrays.npz")["y"][0], pixels, rtol=1e-6)


@pytest.mark.parametrize("how", ["transparent", "nan"])
def test_holes_of_a_measurement_are_its_mask(
    reconstruct: Run, folder: Path, pixels: np.ndarray, how: str
) -> None:
    hole = np.zeros(pixels.shape, dtype=bool)
    hole[10:20, 5:9] = True
    if how == "nan":
        np.save("y.npy", np.where(hole, np.nan, pixels))
        name = "y.npy"
    else:
        gray, alpha = (255 * pixels).astype(np.uint8), 255 * (~hole).astype(np.uint8)
        Image.fromarray(np.dstack([gray, alpha])).save("y.png")
        name = "y.png"
    done = reconstruct("--measurement", name, "--op", "inpaint", "--out", "o", "--method", "dps")
    assert done.exit_code == 0, done.output
    y = np.load("o/arrays.npz")["y"][0]
    assert np.array_equal(y == 0, hole | (pixels < 1 / 255)) or np.array_equal(y == 0, hole)
    said = json.loads((folder / "o" / "metrics.json").read_text())["assumed"]
    assert any(sentence.startswith("mask: ") for sentence in said)
