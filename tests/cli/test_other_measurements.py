"""``invscore reconstruct`` where the measurement is no image: sinograms, magnitudes, mixtures."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import Result

Run = Callable[..., Result]


@pytest.mark.parametrize(
    ("op", "height"), [("ct(angles=13)", 91), ("cs(ratio=0.5)", 64), ("phase(oversampling=2)", 96)]
)
def test_measurements_are_pictured(reconstruct: Run, folder: Path, op: str, height: int) -> None:
    method = "dps" if op.startswith("phase") else "diffpir"
    done = reconstruct("--op", op, "--image", "gray.png", "--out", "o", "--method", method)
    assert done.exit_code == 0, done.output
    picture = np.asarray(Image.open(folder / "o" / "measurement.png"), dtype=float)
    assert picture.shape == (height, picture.shape[1])
    assert picture.max() == 255
    assert picture.std() > 10
    assert (folder / "o" / "figure.png").exists()
    metrics = json.loads((folder / "o" / "metrics.json").read_text())
    assert metrics["scale"] == 1
    assert (metrics["psnr_measurement"] is None) == op.startswith("phase")


def test_a_sinogram_is_compared_by_filtered_back_projection(reconstruct: Run, folder: Path) -> None:
    options = ("--image", "gray.png", "--method", "diffpir", "--out", "o")
    assert reconstruct("--op", "ct(angles=45)", *options).exit_code == 0
    metrics = json.loads((folder / "o" / "metrics.json").read_text())
    assert metrics["psnr_measurement"] > 20


def test_a_sinogram_of_ones_own_needs_a_shape(reconstruct: Run, folder: Path) -> None:
    np.save(folder / "y.npy", np.ones((1, 13, 91), dtype=np.float32))
    options = ("--op", "ct(angles=13)", "--measurement", "y.npy", "--out", "o")
    lost = reconstruct(*options)
    assert lost.exit_code == 2
    assert "a sinogram does not tell the shape of its image: give --shape C,H,W" in lost.stderr
    assert reconstruct(*options, "--shape", "1,64,64").exit_code == 0


@pytest.mark.parametrize("op", ["phase", "hdr", "nonlinear-blur"])
def test_nonlinear_operators_ask_for_another_method(
    reconstruct: Run,
    folder: Path,
    op: str,
) -> None:
    options = ("--op", op, "--image", "gray.png", "--out", "o")
    refused = reconstruct(*options, "--method", "diffpir")
    assert refused.exit_code == 2
    assert refused.stderr.count("\n") == 1
    assert "diffpir needs a linear operator" in refused.stderr
    for method in ("daps", "dps", "langevin", "map"):
        assert f" {method}," in refused.stderr
    assert "ddrm" not in refused.stderr
    assert not (folder / "o").exists()
    for method in ("dps", "map"):
        done = reconstruct(*options, "--method", method)
        assert done.exit_code == 0, done.output
