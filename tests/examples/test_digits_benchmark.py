"""The measurement of a generative prior, for a few steps of an untrained one on bars."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from scripts import run

from invscore.networks import build_network
from invscore.priors import NetworkPrior

BARS = """
import numpy as np

def labelled(split):
    random = np.random.default_rng(len(split))
    images = 0.2 * random.random((40, 1, 8, 8), dtype=np.float32)
    for k in range(40):
        images[k, 0, :, 2 : 3 + k % 4] += 0.8
    return images, np.arange(40) % 4
"""


@pytest.fixture
def prior(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    architecture = {"name": "unet", "channels": 1, "widths": [4, 8], "blocks": 1}
    network = build_network(**architecture)
    path = tmp_path / "tiny.safetensors"
    NetworkPrior(network, channels=1, metadata={"architecture": architecture}).save(path)
    return path


def test_it_measures_and_draws(tmp_path: Path, prior: Path) -> None:
    (tmp_path / "bars.py").write_text(BARS)
    written, figure = tmp_path / "rows.json", tmp_path / "samples.png"
    options = ["--prior", str(prior)]
    options += ["--data", str(tmp_path / "bars.py"), "--samples", "6", "--likelihoods", "2"]
    options += ["--json", str(written), "--figure", str(figure), "--guide", str(prior)]
    text = run("benchmarks/digits.py", *options)
    content = json.loads(written.read_text())
    assert content["evaluations"] == 40
    assert (content["steps"], content["guide"]) == (20, str(prior))
    assert content["samples"] == 6
    assert len(content["judges"]) == 2
    for verdict in content["judges"].values():
        assert verdict["accuracy"] == 1
        assert verdict["recognised"]["held-out digits"]["histogram"] == [0.25] * 4
        assert verdict["recognised"]["held-out digits"]["confident"] > 0.9
        assert set(verdict["recognised"]) == {"samples", "held-out digits"}
    nats = {name: found["mean"] for name, found in content["log_likelihood"].items()}
    for name in ("shuffled", "rotated"):
        difference = nats["digits"] - nats[name]
        assert nats[f"digits - {name}"] == pytest.approx(difference, abs=1e-2)
    assert figure.stat().st_size > 100
    assert "held-out digits" in text
