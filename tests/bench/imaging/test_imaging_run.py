"""Running, stopping, going on, by one or many: the tables are the same."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from invscore.bench.imaging import run as run_module
from invscore.bench.imaging import workers
from invscore.bench.imaging.cells import Cell, Outcome, remembered
from invscore.bench.imaging.plan import plan
from invscore.bench.imaging.results import write_tables
from invscore.bench.imaging.rows import COSTS
from invscore.bench.imaging.run import run, simulated
from invscore.bench.imaging.scores import FIGURES
from invscore.bench.imaging.workers import run_cells
from invscore.driver import reconstruct
from invscore.engine import open_engine
from invscore.files import atomic
from invscore.metrics import psnr, ssim
from invscore.priors import load_prior

SAME = ("tables.md", "tables.tex", "means.csv")
"""The files that do not hold times."""


def make(config: Any, folder: Path, **options: Any) -> dict[str, Any]:
    outcomes = run_cells(plan(config), folder / "cells", **options)
    return write_tables(config, outcomes, folder, command="command")


def texts(folder: Path) -> list[str]:
    return [(folder / name).read_text() for name in SAME]


def test_figures_are_those_of_the_pictures(make_config: Any, tmp_path: Path) -> None:
    cells = [cell for cell in plan(make_config()) if cell.task == "blur"]
    for outcome in run_cells(cells, tmp_path):
        stored = remembered(outcome.cell, tmp_path, tensors=True)
        assert stored is not None
        image, truth = (stored.tensors[n].float()[None] for n in ("reconstruction", "truth"))
        assert outcome.figures["psnr"] == pytest.approx(psnr(image, truth).item(), abs=0.02)
        assert outcome.figures["ssim"] == pytest.approx(ssim(image, truth).item(), abs=1e-3)
        assert set(outcome.figures) >= {*FIGURES, *COSTS, "residual", "versions", "device"}
        n = outcome.cell.samples
        assert outcome.figures["evaluations"] == (2 * n if outcome.cell.prior else 0)


def test_a_cell_is_what_the_driver_makes_of_its_seed(make_config: Any) -> None:
    cells = [cell for cell in plan(make_config()) if cell.method == "diffpir"]
    for cell in (cell for cell in cells if cell.task == "blur"):
        task = simulated(cell.op, cell.noise, cell.source, cell.seed, "cpu")
        assert task.truth is not None
        settings = {"method": "diffpir", "samples": 3, "seed": cell.seed, **cell.options}
        result = reconstruct(task.problem, load_prior(str(cell.prior)), **settings)
        expected = psnr(result.mean, task.truth).item()
        assert run(cell, "cpu").figures["psnr"] == pytest.approx(expected, abs=1e-4)


def test_a_network_in_bfloat16(make_config: Any) -> None:
    methods = [
        {"name": "denoiser", "label": label, "precision": label} for label in ("fp32", "bf16")
    ]
    tasks = [{"name": "noise", "op": "denoise", "noise": 0.1}]
    cells = plan(make_config(prior="photos-gray", methods=methods, tasks=tasks, limit=1))
    full, half = (run(cell, "cpu") for cell in cells)
    error = (full.tensors["reconstruction"] - half.tensors["reconstruction"]).float().abs().max()
    assert 1e-4 < float(error) < 0.02
    assert cells[0].file != replace(cells[0], precision="bf16").file


def test_what_a_method_refuses_is_skipped(make_config: Any, tmp_path: Path) -> None:
    content = make(make_config(), tmp_path)
    refused = [row for row in content["rows"] if row["refusal"]]
    assert {(row["task"], row["method"]) for row in refused} == {
        ("hdr", "diffpir"),
        ("hdr", "wiener"),
    }
    assert all("needs a linear operator" in row["refusal"] for row in refused)
    assert all(row["psnr"] is None for row in refused)
    assert "- hdr: wiener: wiener needs a linear operator" in (tmp_path / "tables.md").read_text()
    assert len(content["rows"]) == 8


def test_whatever_a_method_raises_is_told(
    make_config: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    cell = plan(make_config())[0]

    def broken(*_: object, **__: object) -> None:
        raise KeyError("sigma")

    monkeypatch.setattr(run_module, "restore", broken)
    assert run(cell, "cpu").refusal == "KeyError: 'sigma'"

    def greedy(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr(run_module, "restore", greedy)
    with pytest.raises(MemoryError):
        run(cell, "cpu")


def test_two_runs_agree(make_config: Any, tmp_path: Path) -> None:
    config = make_config(repeats=2)
    first = make(config, tmp_path / "a")
    second = make(config, tmp_path / "b")
    assert texts(tmp_path / "a") == texts(tmp_path / "b")
    for one, other in zip(first["rows"], second["rows"], strict=True):
        timeless = [
            {name: value for name, value in row.items() if name not in COSTS}
            for row in (one, other)
        ]
        assert timeless[0] == timeless[1]
    make(make_config(repeats=2, seed=1), tmp_path / "c")
    assert texts(tmp_path / "c") != texts(tmp_path / "a")


def test_a_stopped_run_goes_on(
    make_config: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = make_config()
    make(config, tmp_path / "whole")
    ran: list[Cell] = []

    def counted(cell: Cell, device: str) -> Outcome:
        if len(ran) == 3:
            raise KeyboardInterrupt
        ran.append(cell)
        return run(cell, device)

    monkeypatch.setattr(workers, "run", counted)
    with pytest.raises(KeyboardInterrupt):
        make(config, tmp_path / "part")
    assert not (tmp_path / "part" / "tables.md").exists()
    monkeypatch.setattr(workers, "run", lambda cell, device: ran.append(cell) or run(cell, device))
    make(config, tmp_path / "part")
    assert len(ran) == len(set(ran)) == 8, "nothing is done twice"
    assert texts(tmp_path / "part") == texts(tmp_path / "whole")


COMMAND = (sys.executable, "-m", "invscore", "bench", "imaging", "--device", "cpu")


def start(config: Path, folder: Path, *options: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*COMMAND, "--config", str(config), "--out", str(folder), *options],
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_killed_run_goes_on(write_config: Any, make_config: Any, tmp_path: Path) -> None:
    changes = {
        "methods": [
            {"name": "diffpir", "samples": 2, "options": {"steps": 10}},
            {"name": "ddrm", "options": {"steps": 10}},
        ],
        "tasks": [{"name": "box", "op": "box(size=8)"}],
        "limit": 5,
    }
    config, path = make_config(**changes), write_config(**changes)
    make(config, tmp_path / "whole")
    running = start(path, tmp_path / "part")
    last = random.Random(time.time_ns()).randrange(9)
    cells = tmp_path / "part" / "cells"
    deadline = time.monotonic() + 120
    while len(list(cells.glob("*.safetensors"))) <= last and running.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    running.kill()
    running.wait()
    done = len(list(cells.glob("*.safetensors")))
    make(config, tmp_path / "part")
    assert texts(tmp_path / "part") == texts(tmp_path / "whole"), f"killed after {done} cells"


def test_workers_make_the_run_of_one(
    make_config: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, told = make_config(), []
    make(config, tmp_path / "one")
    # What a process of this machine that is no more has left of a cell.
    process = subprocess.Popen(["true"])
    process.wait()
    cells = tmp_path / "two" / "cells"
    cells.mkdir(parents=True)
    left = cells / f".blur_camera.{process.pid}@{atomic._host()}.partial.safetensors"
    left.touch()
    monkeypatch.chdir(tmp_path)
    with open_engine(2) as engine:
        make(
            config,
            Path("two"),
            engine=engine,
            on_cell=lambda done, total: told.append((done, total)),
        )
    assert texts(tmp_path / "one") == texts(tmp_path / "two")
    assert told == [(k, 8) for k in range(1, 9)]
    assert not left.exists()
