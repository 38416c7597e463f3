"""The benchmark of workers, tiny: the same samples, a ratio, and what a measurement costs."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "examples/benchmarks/engine.py"


def test_it_prints_a_ratio_and_costs() -> None:
    tiny = ["--workers", "1,2", "--count", "3", "--size", "32", "--steps", "1"]
    command = [sys.executable, str(SCRIPT), *tiny]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert re.search(r"^2 workers: .* times as fast as one$", done.stdout, re.MULTILINE)
    assert "all 3 samples are the same" in done.stdout
    rows = dict(re.findall(r"^\| (.+?) \| ([\d.]+) \|$", done.stdout, re.MULTILINE))
    parts = [float(value) for value in rows.values()]
    assert min(parts[:3]) > 0
    assert abs(sum(parts[2:6]) - parts[6]) < 0.3
