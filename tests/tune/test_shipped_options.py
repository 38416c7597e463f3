"""What ``configs/bench/tuned.yaml`` found is what ``configs/bench/imaging.yaml`` says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from invscore.bench.imaging.config import read_imaging_config

CONFIGS = Path(__file__).parents[2] / "configs" / "bench"
TUNED: dict[str, Any] = yaml.safe_load((CONFIGS / "tuned.yaml").read_text(encoding="utf-8"))

ELSEWHERE = {("pnp-bm3d", "motion-deblur")}
"""Where what was found at 128 pixels a side is not taken at 256: imaging.yaml says why."""


@pytest.mark.parametrize("label", TUNED["methods"])
def test_the_benchmark_uses_the_options_that_were_found(label: str) -> None:
    config = read_imaging_config(CONFIGS / "imaging.yaml")
    method = next(method for method in config.methods if method.label == label)
    for task, found in TUNED["methods"][label].items():
        chosen = method.options_for(task)
        same = {name: chosen[name] for name in found["options"]} == found["options"]
        assert same == ((label, task) not in ELSEWHERE), task
        assert found["psnr"] >= found["psnr_default"]
