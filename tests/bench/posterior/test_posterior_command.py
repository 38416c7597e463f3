"""``invscore bench posterior``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from invscore.cli.main import app

FEW = (
    "--problems",
    "gaussian",
    "--evaluations",
    "3,default",
    "--instances",
    "2",
    "--samples",
    "20",
)


def bench(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["bench", "posterior", "--workers", "1", *arguments])


def test_rows_page_and_going_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    methods = "diffpir,'ddrm(steps=4, eta=0.5)'".replace("'", "")
    arguments = (*FEW, "--methods", methods, "--json", "rows.json", "--page", "page.md")
    done = bench(*arguments)
    assert done.exit_code == 0, done.output
    assert "diffpir" in done.output
    assert "ddrm(eta=0.5)" in done.output
    content = json.loads(Path("rows.json").read_text())
    assert content["seed"] == 0
    assert {"invscore", "torch"} <= content["versions"].keys()
    assert content["command"].startswith("invscore bench posterior --problems gaussian --methods")
    rows = content["rows"]
    assert len(rows) == 4 * 5  # settings, metrics
    assert {row["options"]["steps"] for row in rows} == {3, 4, 20}
    assert Path("page.md").exists()
    before = {file: file.stat().st_mtime_ns for file in Path("bench-posterior").iterdir()}
    assert bench(*arguments).exit_code == 0
    assert before == {file: file.stat().st_mtime_ns for file in Path("bench-posterior").iterdir()}
    assert json.loads(Path("rows.json").read_text())["rows"] == rows


@pytest.mark.parametrize(
    ("option", "value", "sentence"),
    [
        ("--problems", "gauss", "no problem is called 'gauss'"),
        ("--methods", "best", "unknown method 'best'"),
        ("--methods", "dps(zeta=1)", "no option 'zeta'"),
        ("--methods", "dps(guidance=much)", "`guidance` must be a number, got 'much'"),
        ("--evaluations", "0", "must be positive numbers or 'default', got 0"),
    ],
)
def test_wrong_arguments_are_one_sentence(option: str, value: str, sentence: str) -> None:
    done = bench(option, value)
    assert done.exit_code == 2
    assert sentence in " ".join(done.output.split())
