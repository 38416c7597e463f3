"""The benchmark of large images, tiny: a row of time and memory."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "examples/benchmarks/large.py"


def test_it_prints_time_and_memory() -> None:
    tiny = ["--sizes", "96", "--tasks", "superres", "--steps", "1"]
    command = [sys.executable, str(SCRIPT), *tiny]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    row = re.search(r"^\| superres \| 96 x 96 \| \S+ \| 1\.00 \| (\S+) \|$", done.stdout, re.M)
    assert row is not None, done.stdout
    assert 0.1 < float(row[1]) < 2
