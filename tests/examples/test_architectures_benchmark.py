"""The comparison of networks, for a second of training on stripes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import yaml
from scripts import run


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
    options = ["--minutes", "0.02", "--networks", "small,one block", "--json", "found.json"]
    run("benchmarks/architectures.py", "stripes.yaml", *options, folder=tmp_path)
    found = json.loads((tmp_path / "found.json").read_text())
    assert list(found) == ["small", "one block"]
    assert found["one block"]["million_weights"] > found["small"]["million_weights"] > 1
    for row in found.values():
        assert row["steps"] >= 5
        assert row["minutes"] < 0.5
        assert row["psnr50"] > 14.2  # what there is before anything is done: the noise
    assert not (tmp_path / "never-made").exists()
