"""The example of binary images, for a few steps on bars instead of digits."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

EXAMPLES = Path(__file__).parents[2] / "examples"

BARS = """
import numpy as np

def labelled(split):
    images = np.zeros((16, 1, 12, 12), dtype=np.float32)
    for k in range(16):
        images[k, 0, :, k % 8 : k % 8 + 4] = 1
    return images, np.arange(16) % 8
"""


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(EXAMPLES / "discrete_digits.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_it_learns_and_draws(tmp_path: Path) -> None:
    recipe, figure = tmp_path / "bars.py", tmp_path / "figure.png"
    recipe.write_text(BARS)
    done = run(str(figure), "--steps", "30", "--data", str(recipe))
    assert done.returncode == 0, done.stderr
    steps = [float(nats) for nats in re.findall(r"(\d+) nats", done.stdout)]
    assert steps[-1] < steps[0]
    (bits,) = map(float, re.findall(r"([\d.]+) bits a pixel", done.stdout))
    assert 0 < bits < 1  # fair coins have 1
    assert figure.stat().st_size > 10_000


def test_a_missing_package_is_named(tmp_path: Path) -> None:
    recipe = tmp_path / "needy.py"
    recipe.write_text("import no_such_package")
    done = run("--data", str(recipe))
    assert done.returncode == 1
    assert done.stderr == (
        "needy.py needs a package: No module named 'no_such_package' (pip install mlxtend)\n"
    )
