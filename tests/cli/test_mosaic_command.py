"""``invscore reconstruct --op mosaic`` and ``cassi``: patterns, and what does not fit."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import Result

Run = Callable[..., Result]


@pytest.fixture
def sensor(folder: Path) -> Path:
    rng = np.random.default_rng(0)
    np.save(folder / "y.npy", rng.uniform(0.2, 0.8, (16, 20)).astype(np.float32))
    np.save(folder / "filters.npy", rng.uniform(0, 1, (5, 2, 3)))
    np.save(folder / "mask.npy", rng.uniform(0, 1, (16, 17)) > 0.5)
    return folder


@pytest.mark.parametrize(
    ("op", "shape"),
    [
        ("mosaic(pattern=RGGB)", [3, 16, 20]),
        ("mosaic(pattern=[0, 1, 1, 0])", [2, 16, 20]),
        ("mosaic(filters=filters.npy)", [5, 16, 20]),
        ("cassi(mask=mask.npy, channels=4)", [4, 16, 17]),
    ],
)
def test_images_of_several_channels(
    op: str, shape: list[int], reconstruct: Run, sensor: Path
) -> None:
    own = ("--measurement", "y.npy", "--noise", "0.05", "--samples", "2", "--out", "o")
    done = reconstruct("--op", op, *own)
    assert done.exit_code == 0, done.output
    told = json.loads((sensor / "o/metrics.json").read_text())
    assert told["shape"] == shape


@pytest.mark.parametrize(
    ("op", "message"),
    [
        ("mosaic", "needs a pattern, which 'y.npy' does not tell"),
        ("mosaic(pattern=RGB)", "must be the letters R, G and B of a square"),
        ("mosaic(pattern=[0, 1, 2])", "must be numbers from 0 to 2 of a square pattern"),
        ("mosaic(filters=mask.npy)", "must be finite numbers from 0 of shape (c, h, w)"),
        ("mosaic(filters=no.npy)", "no such file"),
        ("cassi(mask=mask.npy)", "operator 'cassi' needs channels"),
        ("cassi(mask=mask.npy, channels=6)", "must have the image's shape (16, 15)"),
        ("cassi(channels=4)", "would draw at random"),
        ("mosaic(pattern=())", "`pattern` must be numbers of bands or letters"),
        ("mosaic(pattern=(0, 1, 2, 999999999))", "fewer channels would fit"),
        ("cassi(seed=0, channels=40)", "must have more than the 39 columns by which"),
        ("cassi(mask=dark.npy, channels=2)", "'dark.npy' must let light through somewhere"),
        ("mosaic(filters=filters.npy)", "'filters.npy' must let light through somewhere"),
    ],
)
def test_what_does_not_fit(op: str, message: str, reconstruct: Run, sensor: Path) -> None:
    height, width = np.load("y.npy").shape[-2:]
    np.save("dark.npy", np.zeros((height, width - 1)))
    np.save("filters.npy", np.zeros((3, 2, 2)))
    done = reconstruct("--op", op, "--measurement", "y.npy", "--out", "o")
    assert done.exit_code == 2, done.output
    assert message in " ".join(done.output.split())
    assert not (sensor / "o").exists()


def test_a_picture_is_told_to_count_as_raw_light(
    reconstruct: Run,
    folder: Path,  # noqa: ARG001
) -> None:
    own = ("--samples", "1", "--steps", "1", "--out", "o")
    done = reconstruct("--op", "mosaic(pattern=RGGB)", "--measurement", "gray.png", *own)
    assert done.exit_code == 0, done.output
    told = json.loads(Path("o/metrics.json").read_text())["assumed"]
    assert any(sentence.startswith("light: the numbers of 'gray.png' count") for sentence in told)
