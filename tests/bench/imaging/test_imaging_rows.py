"""Rows, their means and errors, and the tables made of them."""

from __future__ import annotations

import csv
import io
import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch

from invscore.bench.imaging import tables
from invscore.bench.imaging.cells import Outcome, remember
from invscore.bench.imaging.config import MethodConfig
from invscore.bench.imaging.plan import plan
from invscore.bench.imaging.rows import CALIBRATED, COSTS, COUNTS, QUALITY, means, rows_of
from invscore.calibration.factors import factors_of, load_factors, save_factors

COLUMNS = """
    task image method prior seed psnr ssim psnr_sample coverage90 evaluations seconds width90 crps
    lpips residual jacobian_products processor_seconds peak_memory options versions samples
    noise refusal
"""


def row(image: str, psnr: float | None, **others: Any) -> dict[str, Any]:
    numbers = dict.fromkeys((*QUALITY, *COUNTS, *COSTS))
    plain = {"task": "blur", "method": "dps", "prior": "p", "samples": 2, "repeat": 0}
    refusal = "no" if psnr is None else None
    return {**numbers, **plain, "image": image, "psnr": psnr, "refusal": refusal, **others}


def test_means_and_their_errors() -> None:
    rows = [row("a", 20.0), row("a", 22.0), row("b", 30.0), row("b", 34.0)]
    (found,) = means(rows)
    assert found["psnr"] == 26.5
    assert found["psnr_se"] == pytest.approx(math.sqrt(2) * 5.5 / math.sqrt(2))  # of 21 and 32
    # Seeds: the variances of single values, 2 and 8, over 2 each and averaged over two images.
    assert found["psnr_se_seeds"] == pytest.approx(math.sqrt((1 + 4) / 4))
    assert found["images"] == 2
    assert found["ssim"] is found["ssim_se"] is None
    (alone,) = means([row("a", 20.0)])
    assert (alone["psnr"], alone["psnr_se"], alone["psnr_se_seeds"]) == (20.0, None, None)


def test_means_leave_out_what_was_refused() -> None:
    (some,) = means([row("a", 20.0), row("b", None)])
    assert (some["psnr"], some["images"], some["refused"], some["refusal"]) == (20.0, 1, 1, "no")
    (none,) = means([row("a", None)])
    assert none["psnr"] is None


def a_table() -> tables.Table:
    rows = [
        row("a", 20.0),
        row("b", 21.0),
        row("a", 25.004, method="tv"),
        row("b", 25.004, method="tv"),
        row("a", 25.0, method="tv_2"),
        row("b", None, method="tv_2"),
        row("a", 30.0, task="sr"),
        row("a", 29.0, task="sr", method="tv"),
        row("a", None, task="sr", method="tv_2"),
        row("a", None, method="lost"),
        row("a", None, task="sr", method="lost"),
    ]
    return tables.table(means(rows), "psnr")


def test_a_table_marks_the_best_and_what_is_missing() -> None:
    found = a_table()
    assert found.columns == ["method", "blur", "sr", "mean"]
    assert found.lines == [
        ["dps", "20.50 ± 0.50", "30.00", "25.25"],
        ["tv", "25.00", "29.00", "27.00"],
        ["tv_2", "25.00*", "-", "-"],
    ]
    # 25.004 and 25 print alike: both are the best.
    assert found.best == {(1, 1), (2, 1), (0, 2), (1, 3)}


def test_less_is_better_of_some_and_neither_of_others() -> None:
    rows = [row("a", 1.0, crps=0.2, coverage90=0.5), row("a", 1.0, crps=0.1, method="tv")]
    assert tables.table(means(rows), "crps").best == {(1, 1)}
    assert tables.table(means(rows), "coverage90").best == frozenset()
    titles = [each.title for each in tables.tables(means(rows))]
    assert titles == ["PSNR in dB", "Coverage of 90 % intervals, uncalibrated", "CRPS"]


def test_formats() -> None:
    found = a_table()
    lines = tables.markdown(found).splitlines()
    assert lines[1] == "| --- | ---: | ---: | ---: |"
    assert lines[3] == "| tv | **25.00** | 29.00 | **27.00** |"
    latex = tables.latex(found)
    assert r"dps & 20.50 $\pm$ 0.50 & \textbf{30.00} & 25.25 \\" in latex
    assert r"tv\_2 & \textbf{25.00*} & -- & -- \\" in latex
    assert latex.count(r"\begin") == latex.count(r"\end") == 2


def test_repeatable_tables_hold_no_times() -> None:
    found = means([row("a", 20.0, seconds=1.5, peak_memory=9.0)])
    text = tables.means_as_csv(found)
    (line,) = csv.DictReader(io.StringIO(text))
    assert line["psnr"] == "20.0"
    assert not any(name.startswith(COSTS) for name in line)
    assert [each.title for each in tables.tables(found)] == ["PSNR in dB"]
    (whole,) = csv.DictReader(io.StringIO(tables.rows_as_csv([row("a", 20.0, seconds=1.5)])))
    assert whole["seconds"] == "1.5"


def test_calibrated_intervals(make_config: Any, tmp_path: Path) -> None:
    save_factors(tmp_path / "factors.json", {"blur": 1.5, "hdr": 2.0}, images=10)
    config = make_config(
        methods=[{"name": "diffpir", "samples": 3, "calibration": "factors.json"}, {"name": "tv"}]
    )
    outcomes = []
    for cell in plan(config)[:2]:
        figures = {"width90": 0.2, "coverage90": 0.5} if cell.method == "diffpir" else {}
        errors = torch.tensor([0.0, 0.9, 1.0, 1.4, 1.6])
        outcomes.append(Outcome(cell, figures, tensors={"errors": errors}))
        remember(outcomes[-1], tmp_path)
    ours, point = rows_of(outcomes, config, tmp_path)
    assert set(COLUMNS.split()) <= set(ours)
    assert ours["coverage90_calibrated"] == pytest.approx(0.8)
    assert ours["width90_calibrated"] == pytest.approx(0.3)
    assert (ours["coverage90"], ours["width90"]) == (0.5, 0.2)
    assert [point[name] for name in CALIBRATED] == [None, None]
    save_factors(tmp_path / "factors.json", {"hdr": 2.0})
    uncalibrated, _ = rows_of(outcomes, config, tmp_path)
    assert [uncalibrated[name] for name in CALIBRATED] == [None, None]


def calibrated(file: Path, **changes: Any) -> MethodConfig:
    return MethodConfig(**{"name": "dps", "samples": 4, "calibration": file, **changes})


@pytest.mark.parametrize("fault", ["factors", "format", "level", "options", "missing", "text"])
def test_calibrations_that_are_none(tmp_path: Path, fault: str) -> None:
    file = tmp_path / "factors.json"
    save_factors(file, {"blur": 1.5})
    assert load_factors(file) == factors_of(calibrated(file)) == {"blur": 1.5}
    content = json.loads(file.read_text())
    wrong = {"factors": {"blur": -1.0}, "format": "x", "level": 0.8, "options": 3}
    if fault == "missing":
        file.unlink()
    elif fault == "text":
        file.write_text("factors")
    else:
        file.write_text(json.dumps(content | {fault: wrong[fault]}))
    with pytest.raises(
        ValueError,
        match=r"calibration.*'.*factors.json'",
    ):
        factors_of(calibrated(file))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "mcg"}, "made with method dps, method 'mcg' has mcg"),
        ({"samples": 2}, "made with samples 4, method 'dps' has 2"),
        ({"tasks": {"blur": {"guidance": 1.0}}}, "made with options .*0.5.* has .*1.0"),
    ],
)
def test_a_calibration_belongs_to_its_setting(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    file = tmp_path / "factors.json"
    options = {"blur": {"guidance": 0.5}}
    save_factors(file, {"blur": 1.5}, method="dps", samples=4, options=options)
    same = {"tasks": {"blur": {"guidance": 0.5}, "hdr": {"guidance": 9.0}}}
    assert factors_of(calibrated(file, **same)) == {"blur": 1.5}
    with pytest.raises(ValueError, match=message):
        factors_of(calibrated(file, **{**same, **changes}))
