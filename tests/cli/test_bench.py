"""The command ``invscore bench denoising``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from typer.testing import Result

from invscore.bench import denoising
from invscore.bench.denoising import DenoisingTask

Run = Callable[..., Result]


@pytest.fixture
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tasks of two tiny images, and a rival that returns what it is given."""
    for name, channels in {"gray": 1, "colour": 3}.items():
        image = torch.full((channels, 8, 8), 0.5)
        task = DenoisingTask(
            ("a", "b"), lambda name, image=image: image, (15, 25), 255, lambda x, _: {"same": x}
        )
        monkeypatch.setitem(denoising.TASKS, name, task)


@pytest.mark.usefixtures("_small")
def test_rows_and_means_are_written(
    invscore: Run, folder: Path, prior: str, colour_prior: str
) -> None:
    for task, file in {"gray": prior, "colour": colour_prior}.items():
        done = invscore("bench", "denoising", "--prior", file, "--json", "rows.json")
        assert done.exit_code == 0, done.output
        assert "15/255" in done.stdout
        assert "±" in done.stdout
        content = json.loads((folder / "rows.json").read_text())
        assert content["task"] == task
        assert content["images"] == ["a", "b"]
        assert len(content["rows"]) == 4
        assert [row["sigma"] for row in content["means"]] == [15, 25]
        first = content["means"][0]
        assert first["gain"] == pytest.approx(first["psnr"] - first["psnr_bm3d"])


@pytest.mark.usefixtures("_small", "folder")
def test_one_image_has_no_error(invscore: Run, prior: str) -> None:
    done = invscore("bench", "denoising", "--prior", prior, "--limit", "1", "--json", "rows.json")
    assert done.exit_code == 0, done.output
    assert "±" not in done.stdout
    content = json.loads(Path("rows.json").read_text())
    assert content["images"] == ["a"]
    assert content["means"][0]["gain_se"] is None
