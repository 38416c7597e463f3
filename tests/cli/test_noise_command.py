"""``invscore reconstruct --noise``: counts, and maps of standard deviations."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import Result

from invscore.images import load_image

Run = Callable[..., Result]


@pytest.fixture
def y(folder: Path) -> np.ndarray:  # noqa: ARG001
    pixels = load_image("gray.png")[0, :24, :32].numpy()
    np.save("y.npy", pixels)
    np.save("counts.npy", np.random.default_rng(0).poisson(40 * pixels).astype(np.float32))
    deviation = np.full(pixels.shape, 0.1)
    deviation[3, 4] = np.nan
    np.save("map.npy", deviation)
    np.save("minus.npy", -deviation)
    np.save("small.npy", deviation[:4])
    return pixels


def told(folder: str) -> dict[str, object]:
    return dict(json.loads((Path(folder) / "metrics.json").read_text()))


def test_a_map(reconstruct: Run, y: np.ndarray) -> None:
    own = ("--op", "denoise", "--measurement", "y.npy", "--report")
    done = reconstruct(*own, "--noise", "map.npy", "--out", "o")
    assert done.exit_code == 0, done.output
    assert "1 of 768 numbers have no finite deviation above 0" in done.stdout
    assert told("o")["noise"] == "map.npy"
    saved = np.load("o/arrays.npz")["y"][0]
    assert saved[3, 4] == 0
    saved[3, 4] = y[3, 4]
    np.testing.assert_array_equal(saved, y)

    # The same deviation everywhere is that deviation.
    np.save("map.npy", np.full(y.shape, 0.1))
    for place, noise in (("map", "map.npy"), ("one", "0.1"), ("law", "gaussian(sigma=0.1)")):
        assert (
            reconstruct(*own, "--noise", noise, "--method", "pigdm", "--out", place).exit_code == 0
        )
    means = [np.load(f"{place}/arrays.npz")["mean"] for place in ("map", "one", "law")]
    np.testing.assert_allclose(means[0], means[1], atol=2e-3)
    np.testing.assert_array_equal(means[1], means[2])


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("kind", [np.uint16, np.int32])
def test_counts_are_no_shades_of_gray(reconstruct: Run, y: np.ndarray, kind: type) -> None:  # noqa: ARG001
    """Their range is not spoken of; of the same numbers with noise of one level it is."""
    np.save("whole.npy", (3 * np.load("counts.npy")).astype(kind))
    own = ("--op", "denoise", "--measurement", "whole.npy", "--steps", "1", "--out", "o")
    done = reconstruct(*own, "--noise", "poisson(photons=1)")
    assert done.exit_code == 0, done.output
    # The image has a scale of its own, as that of other numbers has.
    units = 65535 if kind is np.uint16 else 1
    mean = units * np.load("o/arrays.npz")["mean"]
    np.save("float.npy", np.load("whole.npy").astype(np.float32))
    plain = [word.replace("whole", "float") for word in own]
    assert reconstruct(*plain, "--noise", "poisson(photons=1)").exit_code == 0
    np.testing.assert_allclose(mean, np.load("o/arrays.npz")["mean"], rtol=1e-3, atol=0.1)
    with pytest.warns(UserWarning, match="as with 8 bits|must be divided by 255"):
        reconstruct(*own, "--noise", "0.1")


def test_counts(reconstruct: Run, y: np.ndarray) -> None:
    own = ("--op", "denoise", "--measurement", "counts.npy", "--noise", "poisson(photons=1)")
    done = reconstruct(*own, "--report", "--out", "o")
    assert done.exit_code == 0, done.output
    assert told("o")["noise"] == "poisson(photons=1)"
    assert "poisson(photons=1)" in Path("o/report.html").read_text()
    assert np.load("o/arrays.npz")["mean"].mean() == pytest.approx(40 * y.mean(), rel=0.2)
    done = reconstruct("--image", "gray.png", "--noise", "poisson(photons=30)", "--out", "i")
    assert done.exit_code == 0, done.output
    counts = 30 * np.load("i/arrays.npz")["y"]
    np.testing.assert_allclose(counts, counts.round(), atol=1e-3)


@pytest.mark.parametrize(("noise", "first"), [("poisson(photons=1)", "counts"), ("map.npy", "y")])
def test_many(noise: str, first: str, reconstruct: Run, y: np.ndarray) -> None:
    one = np.load(f"{first}.npy")
    np.save("stack.npy", np.stack([one, one[::-1]]))
    done = reconstruct("--op", "denoise", "--measurement", "stack.npy", "--axes", "zhw",
                       "--noise", noise, "--out", "many")  # fmt: skip
    assert done.exit_code == 0, done.output
    assert "2 of 2 restored" in done.stdout
    del y


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--noise", "no.npy"], "noise map 'no.npy': no such file"),
        (["--noise", "small.npy"], "must have the measurement's shape (1, 24, 32), got (4, 32)"),
        (["--noise", "minus.npy"], "must hold standard deviations from 0, got -0.1"),
        (["--noise", "poisson(photons=-1)"], "`photons` must lie in (0, "),
        (["--noise", "loud"], "`noise` must be auto, a standard deviation from 0"),
        (
            ["--noise", "poisson(photons=9, background=1e4)"],
            "`background` must not exceed what was counted",
        ),
        (
            ["--noise", "poisson-gaussian(photons=9, sigma=1e-3, background=50)"],
            "`background` must not exceed what was counted",
        ),
        (
            ["--noise", "transmission(photons=9, background=1e4)"],
            "`background` must not exceed what was counted",
        ),
        (["--measurement", "black.npy"], "`noise` must be given for 'black.npy'"),
        (["--memory", "1MB", "--noise", "0.1"], "`memory` must be more than the 650 MB"),
        (["--probes", "99999999", "--noise", "0.1"], "fewer probes would fit"),
        (["--noise", "poisson(photons=5)", "--calibration", "c.json"], "--calibration"),
    ],
)
def test_faults(options: list[str], message: str, reconstruct: Run, y: np.ndarray) -> None:
    np.save("black.npy", np.zeros((24, 32)))
    own = () if "--measurement" in options else ("--measurement", "y.npy")
    done = reconstruct("--op", "denoise", *own, "--out", "o", *options)
    assert done.exit_code == 2
    assert message in done.stderr
    assert not Path("o").exists()
    del y
