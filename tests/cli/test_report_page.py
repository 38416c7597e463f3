"""``invscore reconstruct --report``: one reconstruction as a page."""

from __future__ import annotations

import base64
import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import Result

import invscore.cli.report
from invscore.cli.report_page import write_report
from invscore.likelihood import GaussianNoise, InverseProblem
from invscore.operators import MRI, Identity
from invscore.result import Result as Reconstruction
from invscore.tasks.task import Task, backprojection
from invscore.uncertainty import moderated
from invscore.viewer import Entry

Run = Callable[..., Result]


def row_of(page: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """The only entry of a page, and its pictures, from 0 to 1, by their names in the page."""
    text = page.read_text(encoding="utf-8")
    data = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    assert data
    found = re.findall(r'<script type="text/plain" id="(p\d+)">(.*?)</script>', text)
    pictures = {
        name: np.asarray(Image.open(io.BytesIO(base64.b64decode(encoded)))) / 255
        for name, encoded in found
    }
    (row,) = json.loads(data[1])["entries"]
    return row, pictures


def test_the_page_shows_what_the_arrays_hold(reconstruct: Run, folder: Path) -> None:
    given = ("--op", "superres(factor=2)", "--image", "gray.png", "--samples", "3", "--seed", "2")
    done = reconstruct(*given, "--out", "o", "--report")
    assert done.exit_code == 0, done.output
    assert "o/report.html" in done.stdout
    row, pictures = row_of(folder / "o" / "report.html")
    arrays = np.load(folder / "o" / "arrays.npz")
    names = {"measurement": "y", "reconstruction": "mean", "truth": "truth"}
    for shown, stored in names.items():
        expected = arrays[stored][0].clip(0, row["white"]) / row["white"]
        np.testing.assert_allclose(pictures[row["pictures"][shown]], expected, atol=0.003)
    spread = pictures[row["pictures"]["uncertainty"]] * row["widest"]
    clipped = arrays["std"][0].clip(max=row["scale"])
    np.testing.assert_allclose(spread, clipped, atol=0.011 * row["widest"])
    assert len(row["samples"]) == 3
    metrics = json.loads((folder / "o" / "metrics.json").read_text())
    for name in ("psnr", "ssim", "psnr_sample", "psnr_measurement", "residual", "evaluations"):
        assert row["figures"][name] == metrics[name]
    assert row["options"] == metrics["options"]
    told = (row["task"], row["image"], row["method"], row["seed"])
    assert told == ("superres(factor=2)", "gray.png", "matched_spectrum", 2)


def test_one_sample_of_a_measurement_of_ones_own(reconstruct: Run, folder: Path) -> None:
    given = ("--measurement", "gray.png", "--samples", "1", "--out", "o", "--report")
    assert reconstruct(*given).exit_code == 0
    row, _ = row_of(folder / "o" / "report.html")
    assert set(row["pictures"]) == {"measurement", "reconstruction"}
    assert row["samples"] == []
    assert "psnr" not in row["figures"]


def test_no_page_unless_asked_for(reconstruct: Run, folder: Path) -> None:
    assert reconstruct("--image", "gray.png", "--out", "o", "--report").exit_code == 0
    assert (folder / "o" / "report.html").exists()
    assert reconstruct("--image", "gray.png", "--out", "o").exit_code == 0
    assert not (folder / "o" / "report.html").exists()  # it would tell of the earlier run


def test_a_page_that_fails_leaves_nothing(
    reconstruct: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(invscore.cli.report, "write_report", fail)
    assert reconstruct("--image", "gray.png", "--out", "o", "--report").exit_code != 0
    assert sorted(file.name for file in folder.iterdir()) == ["colour.png", "gray.png"]


def entry_of(task: Task, samples: torch.Tensor, monkeypatch: pytest.MonkeyPatch) -> Entry:
    """The entry that ``write_report`` makes of ``samples`` (s, 1, \\*shape)."""
    entries: list[Entry] = []
    monkeypatch.setattr(
        "invscore.cli.report_page.write_page", lambda _, given, **__: entries.extend(given)
    )
    result = Reconstruction(
        samples=samples,
        trace={},
        evaluations=1,
        jacobian_products=0,
        seconds=0.0,
        method="dps",
        options={},
        seed=0,
        scale=1.0,
        residual=torch.ones(1),
        warnings=(),
    )
    told = {"op": "op", "image": "a", "prior": "p", "noise": 1.0, "device": "cpu", "versions": {}}
    interval = {"level": 0.9, "calibrated": True, "width": 0.2, "coverage": None}
    write_report(Path("report.html"), task, result, {**told, "interval": interval})
    return entries[0]


def test_complex_images_are_shown_by_magnitude(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = torch.Generator().manual_seed(0)
    samples = torch.randn(3, 1, 1, 8, 8, generator=generator, dtype=torch.complex64)
    mask = (torch.arange(8) % 2 == 0).expand(8, 8)
    operator = MRI(mask)
    y = operator(samples[0])
    task = Task(InverseProblem(operator, y, GaussianNoise(0.1)), samples[1])
    entry = entry_of(task, samples, monkeypatch)
    zero_filled = backprojection(task.problem)
    assert zero_filled is not None
    torch.testing.assert_close(entry.pictures["measurement"], zero_filled[0].abs())
    torch.testing.assert_close(entry.pictures["truth"], samples[1, 0].abs())
    torch.testing.assert_close(entry.pictures["reconstruction"], samples.mean(0)[0].abs())
    assert entry.samples is not None
    torch.testing.assert_close(entry.samples, samples[:, 0].abs())
    deviation = moderated(samples, paired=False).variance.sum(-1).sqrt()
    torch.testing.assert_close(entry.pictures["uncertainty"], deviation[0])
    assert entry.figures["interval_width"] == 0.2
    assert "interval_calibrated" not in entry.figures


@pytest.mark.parametrize("shape", [(8, 6), (2, 8, 6), (2, 3, 8, 6), (5,)])
def test_images_of_any_shape(shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    samples = torch.rand(2, 1, *shape, generator=torch.Generator().manual_seed(0))
    problem = InverseProblem(Identity(shape), samples[0], GaussianNoise(0.1))
    entry = entry_of(Task(problem, None), samples, monkeypatch)
    if len(shape) == 1:
        assert entry.pictures == {}
        assert entry.samples is None
        return
    assert entry.samples is not None
    assert entry.samples.shape == (2, 1, 8, 6)
    shown = samples[:, 0]
    if len(shape) == 4:
        shown = shown[:, :, shape[1] // 2]  # the middle slice of a volume
    combined = shown.square().sum(1).sqrt() if len(shape) > 2 else shown
    torch.testing.assert_close(entry.samples[:, 0], combined)
    assert entry.pictures["reconstruction"].shape == (1, 8, 6)
