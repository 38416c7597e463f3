"""What is written beside tables: the page, as far as it has room, and the Frechet distance."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from invscore import metrics
from invscore.bench.imaging import memory, results
from invscore.bench.imaging.memory import PeakMemory
from invscore.bench.imaging.plan import plan
from invscore.bench.imaging.results import write_pictures, write_tables
from invscore.bench.imaging.workers import run_cells
from invscore.viewer import Entry


def test_the_page_has_pictures_of_the_first_images(
    make_config: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = make_config(limit=3, repeats=2)
    outcomes = run_cells(plan(config), tmp_path / "cells")
    content = write_tables(config, outcomes, tmp_path, command="command")
    pages: list[list[Entry]] = []
    monkeypatch.setattr(results, "_write_figures", lambda *_: None)
    monkeypatch.setattr(results, "write_page", lambda file, entries, **_: pages.append(entries))
    sizes = [(tmp_path / "cells" / o.cell.file).stat().st_size // 2 for o in outcomes]
    for room in (sum(sizes), 0):
        monkeypatch.setattr(results, "PIXELS", room)
        write_pictures(content, outcomes, tmp_path)
    whole, narrow = pages
    assert len(whole) == len(narrow) == len(outcomes)
    served = [entry.task == "blur" for entry in whole]
    assert [bool(entry.pictures) for entry in whole] == served
    first = outcomes[0].cell
    pictured = {(entry.image, entry.seed) for entry in narrow if entry.pictures}
    assert pictured == {(first.source.name, first.seed)}
    entry = whole[0]
    assert set(entry.pictures) == {"measurement", "reconstruction", "truth", "uncertainty"}
    assert entry.samples is not None
    assert entry.samples.shape == (3, 1, 32, 32)
    assert entry.options["steps"] == 2
    assert entry.figures["psnr"] == content["rows"][0]["psnr"]
    refused = next(e for e in whole if e.task == "hdr")
    assert "needs a linear operator" in str(refused.figures["refusal"])


def test_the_frechet_distance_of_the_images_of_a_task(
    make_config: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def distance(samples: Tensor, references: Tensor) -> float:
        assert samples.shape == references.shape == (2, 1, 32, 32)
        return float((samples - references).abs().mean())

    monkeypatch.setattr(metrics, "fid", distance)
    config = make_config(fid=True)
    outcomes = run_cells(plan(config), tmp_path / "cells")
    content = write_tables(config, outcomes, tmp_path, command="command")
    served = {mean["method"]: mean for mean in content["means"] if mean["task"] == "blur"}
    assert 0 < served["wiener"]["fid"] < 0.2
    assert [mean["fid"] for mean in content["means"] if mean["task"] == "hdr"] == [None, None]
    assert "## FID" in (tmp_path / "tables.md").read_text()


def test_peak_memory() -> None:
    if not memory.RESET.exists():
        pytest.skip("only Linux tells")
    with PeakMemory("cpu") as before:
        pass
    with PeakMemory("cpu") as peak:
        torch.ones(2**26)  # 256 MB
    with PeakMemory("cpu") as after:
        pass
    assert before.megabytes is not None
    assert peak.megabytes is not None
    assert after.megabytes is not None
    assert 240 < peak.megabytes - before.megabytes < 400
    assert after.megabytes < peak.megabytes - 200


def test_memory_that_cannot_be_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "RESET", Path("/nowhere/clear_refs"))
    with PeakMemory("cpu") as peak:
        pass
    assert peak.megabytes is None
