"""The comparison of networks, for a second of training on stripes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import yaml

SCRIPT = Path(__file__).parents[2] / "examples/benchmarks/architectures.py"


def test_it_trains_for_the_time_it_is_given(tmp_path: Path) -> None:
    x = np.arange(32, dtype=np.float32)
    stripes = 0.5 + 0.5 * np.sin(x * np.linspace(0.2, 1, 30)[:, None, None] + x[:, None] / 9)
    np.save(tmp_path / "stripes.npy", stripes)
    config = {
        "name": "stripes",
        "out": "never-made",
        "data": {"kind": "arrays", "path": str(tmp_path / "stripes.npy"), "crop": 16},
        "optimiser": {"steps": 1, "batch": 4},
    }
    (tmp_path / "stripes.yaml").write_text(yaml.safe_dump(config))
    command = [sys.executable, str(SCRIPT), "stripes.yaml", "--minutes", "0.02"]
    command += ["--networks", "small,one block", "--json", "found.json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "found.json").read_text())
    assert list(found) == ["small", "one block"]
    assert found["one block"]["million_weights"] > found["small"]["million_weights"] > 1
    for row in found.values():
        assert row["steps"] >= 5
        assert row["minutes"] < 0.5
        assert row["psnr50"] > 14.2  # what there is before anything is done: the noise
    assert not (tmp_path / "never-made").exists()
