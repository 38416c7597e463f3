"""The first of the hostile inputs; CONTRIBUTING.md has the command for all of them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_hostile_input_is_refused_in_a_sentence() -> None:
    command = [sys.executable, "-m", "tests.fuzz", "--n", "40"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=False, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "40 inputs: " in done.stdout
    assert "0 with faults" in done.stdout
