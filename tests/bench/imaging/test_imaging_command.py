"""``invscore bench imaging``: a small run with all its files, and faults in one sentence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from invscore.bench.imaging.config import read_imaging_config
from invscore.cli.main import app

QUICK = Path(__file__).parents[3] / "configs/bench/quick.yaml"

TASKS = [
    {"name": "deblur", "op": "deblur(sigma=1)"},
    {"name": "sr-2", "op": "superres(factor=2)"},
    {"name": "inpaint-70", "op": "inpaint(keep=0.3)"},
    {"name": "hdr", "op": "hdr"},
    {"name": "mri-4", "op": "mri"},
    {"name": "phase", "op": "phase"},
]
METHODS = [
    {"name": "diffpir", "samples": 3, "options": {"steps": 3}},
    {"name": "dps", "options": {"steps": 3}, "tasks": {"phase": {"guidance": 1.0}}},
    {"name": "tv", "options": {"iterations": 20}},
]


def command(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["bench", "imaging", *arguments])


@pytest.fixture
def run(write_config: Any, tmp_path: Path) -> Any:
    """``run(*arguments, key=value)``: the command on a small configuration, in this process."""

    def run_(*arguments: str, **changes: Any) -> Result:
        config = write_config(**changes)
        out = tmp_path / "out"
        device = () if "--device" in arguments else ("--device", "cpu")
        return command("--config", str(config), "--out", str(out), *device, *arguments)

    return run_


def test_a_small_run_leaves_tables_figures_and_a_page(run: Any, tmp_path: Path) -> None:
    done = run("--seed", "3", tasks=TASKS, methods=METHODS)
    assert done.exit_code == 0, done.output
    assert "skipped: phase: diffpir: diffpir needs a linear operator" in done.output
    out = tmp_path / "out"
    content = json.loads((out / "results.json").read_text())
    assert content["command"].endswith("--seed 3")
    rows = content["rows"]
    assert len(rows) == len(TASKS) * len(METHODS) * 2
    dps = next(r for r in rows if (r["task"], r["method"]) == ("phase", "dps"))
    assert dps["options"]["guidance"] == 1.0
    assert dps["evaluations"] == dps["jacobian_products"] == 3
    assert dps["seed"] == 3
    files = {file.relative_to(out).as_posix() for file in out.rglob("*") if file.is_file()}
    assert {
        *("index.html", "tables.md", "tables.tex", "costs.md", "rows.csv", "means.csv"),
        *(
            "figures/psnr-evaluations.png",
            "figures/psnr-processor_seconds.png",
            "figures/images-hdr.png",
        ),
    } <= files
    with Image.open(out / "figures" / "images-deblur.png") as strip:
        assert strip.width > strip.height
    page = (out / "index.html").read_text()
    assert page.count("inpaint-70") >= len(METHODS)
    assert "iterations" in page, "options are told"


def test_the_quick_run_makes_its_page(tmp_path: Path, tiny_prior: str) -> None:
    """All of its photographs' tasks, by two methods, one image, a small network."""
    config = read_imaging_config(QUICK)
    photographs = [task.name for task in config.tasks if task.prior is None]
    given = ["--config", str(QUICK), "--prior", tiny_prior, "--limit", "1", "--device", "cpu"]
    given += ["--tasks", ",".join(photographs), "--methods", "auto,dps"]
    done = command(*given, "--out", str(tmp_path))
    assert done.exit_code == 0, done.output
    rows = json.loads((tmp_path / "results.json").read_text())["rows"]
    assert {row["task"] for row in rows} == set(photographs)
    page = (tmp_path / "index.html").read_text()
    assert all(task in page for task in photographs)


def test_choices_replace_those_of_the_configuration(
    run: Any, tmp_path: Path, tiny_prior: str
) -> None:
    other = tmp_path / "other.safetensors"
    other.write_bytes(Path(tiny_prior).read_bytes())
    images = tmp_path / "images"
    images.mkdir()
    for name in "ab":
        Image.linear_gradient("L").save(images / f"{name}.png")
    given = ["--prior", str(other), "--images", str(images), "--tasks", "blur", "--limit", "1"]
    done = run(*given, "--methods", "diffpir")
    assert done.exit_code == 0, done.output
    (row,) = json.loads((tmp_path / "out" / "results.json").read_text())["rows"]
    assert (row["task"], row["method"], row["image"]) == ("blur", "diffpir", "a")
    assert row["prior"] == str(other)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--methods", "tv"], "unknown method 'tv': the configuration has"),
        (["--tasks", "sr"], "unknown task 'sr'"),
        (["--prior", "nobody"], "prior 'nobody' is neither a file nor one of"),
        (["--images", "nowhere"], "'nowhere': no such folder"),
        (["--device", "abacus"], "on this machine, got 'abacus'"),
    ],
)
def test_faults_are_one_sentence(run: Any, arguments: list[str], message: str) -> None:
    done = run(*arguments)
    assert done.exit_code == 2
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_configuration_that_is_not_there() -> None:
    done = command("--config", "none.yaml")
    assert done.exit_code == 2
    assert "configuration 'none.yaml': no such file" in done.stderr


def test_a_run_that_restores_nothing_is_a_fault(run: Any) -> None:
    done = run(tasks=[TASKS[-1]], methods=[METHODS[0]])
    assert done.exit_code == 2
    assert "diffpir needs a linear operator" in done.output
    assert "no method has restored anything: the reasons are above" in done.output
