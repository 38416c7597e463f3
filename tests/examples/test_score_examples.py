"""The examples on objectives and potentials, on a few samples."""

from __future__ import annotations

import re
from pathlib import Path

from scripts import run


def test_every_objective_finds_the_slope(tmp_path: Path) -> None:
    figure = tmp_path / "figure.png"
    output = run("objectives.py", str(figure), "5")
    slopes = [float(number) for number in re.findall(r"(-0\.\d{4})", output)]
    assert len(slopes) == 15
    assert slopes[-1] == -0.8
    # A single batch is off by up to about 0.08.
    assert all(abs(slope + 0.8) < 5 * 0.08 / 5**0.5 for slope in slopes)
    assert figure.stat().st_size > 10_000


def test_potentials_differ_and_densities_agree(tmp_path: Path) -> None:
    figure = tmp_path / "figure.png"
    output = run("potentials.py", str(figure), "500")
    data, learned = (float(number) for number in re.findall(r"Z = ([\d.]+)", output))
    assert abs(data - 1) < 1e-3
    assert abs(learned - 1) > 0.1
    (gap,) = map(float, re.findall(r"densities: ([\d.]+)", output))
    assert gap < 0.15
    assert figure.stat().st_size > 10_000
