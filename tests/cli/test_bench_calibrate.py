"""``invscore bench calibrate`` with a tiny prior, and ``bench imaging`` with what it wrote."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from typer.testing import Result

from invscore.bench.imaging.config import read_imaging_config
from invscore.calibration.factors import load_factors
from invscore.images import save_image

Run = Callable[..., Result]

CONFIG = """
prior: {prior}
size: 16
images: test
tasks:
- {{name: blur, op: deblur, noise: 0.1}}
- {{name: phase, op: phase, noise: 0.1}}
methods:
- {{name: tv, options: {{iterations: 5}}}}
- {{name: diffpir, label: ours, samples: 3, options: {{steps: 2}}}}
"""


@pytest.fixture
def calibrate(invscore: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, prior: str) -> Run:
    monkeypatch.chdir(tmp_path)
    axis = torch.linspace(0, 9, 40)
    for name, k in (("val/a", 1.0), ("val/b", 2.3), ("test/c", 1.7)):
        wave = 0.5 + 0.4 * torch.sin(k * axis[:, None] + axis**1.5)
        save_image(tmp_path / f"{name}.png", wave[None])
    (tmp_path / "bench.yaml").write_text(CONFIG.format(prior=prior))

    def run(*more: str) -> Result:
        images = () if "--images" in more else ("--images", "val")
        return invscore("bench", "calibrate", "--config", "bench.yaml", *images, *more)

    return run


def test_factors_are_written_and_hold(calibrate: Run, invscore: Run, tmp_path: Path) -> None:
    found = calibrate("--crops", "11")
    assert found.exit_code == 0, found.output
    assert [file.name for file in (tmp_path / "calibration").iterdir()] == ["ours.json"]
    factors = load_factors(tmp_path / "calibration" / "ours.json")
    assert list(factors) == ["blur"]
    assert "no factor: phase: ours: diffpir needs a linear operator" in " ".join(
        found.output.split()
    )
    content = json.loads((tmp_path / "calibration" / "ours.json").read_text())
    assert content["samples"] == 3
    assert content["options"]["blur"] == {"steps": 2}
    assert content["size"] == 16
    assert len(content["images"]) == 11
    assert content["held_before"]["blur"] < 0.8 < content["held_after"]["blur"]
    cells = sorted((tmp_path / "bench-calibration" / "cells").glob("*.safetensors"))
    assert len(cells) == 22

    before = [file.stat().st_mtime_ns for file in cells]
    assert calibrate("--crops", "11").exit_code == 0
    assert [file.stat().st_mtime_ns for file in cells] == before, "nothing is restored twice"
    assert load_factors(tmp_path / "calibration" / "ours.json") == factors

    config = (tmp_path / "bench.yaml").read_text()
    config = config.replace("label: ours,", "label: ours, calibration: calibration/ours.json,")
    (tmp_path / "bench.yaml").write_text(config)
    assert read_imaging_config(Path("bench.yaml")).methods[1].calibration is not None
    arguments = ("--config", "bench.yaml", "--out", "results", "--tasks", "blur")
    assert invscore("bench", "imaging", *arguments).exit_code == 0
    rows = json.loads((tmp_path / "results" / "results.json").read_text())["rows"]
    ours = next(row for row in rows if row["method"] == "ours")
    assert ours["width90_calibrated"] == pytest.approx(factors["blur"] * ours["width90"])
    assert ours["coverage90_calibrated"] > ours["coverage90"]


def test_mistakes_are_told_in_a_sentence(calibrate: Run) -> None:
    def sentence(*more: str) -> str:
        found = calibrate(*more)
        assert found.exit_code == 2
        return " ".join(found.output.split())

    assert "level 0.9 needs at least 10 images, got 2" in sentence()
    assert "at least one method must sample" in sentence("--methods", "tv", "--crops", "11")
    assert "samples, which are held out, got 'coins'" in sentence("--images", "coins")
    assert "must be a folder, got the file 'val/a.png'" in sentence("--out", "val/a.png")
    assert not Path("calibration").exists()
