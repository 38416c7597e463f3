"""A folder of small photographs and a training run of seconds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from invscore.training.config import TrainConfig

MakeConfig = Callable[..., TrainConfig]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    random = np.random.default_rng(0)
    for split in ("train", "val"):
        folder = tmp_path / "photos" / split
        folder.mkdir(parents=True)
        for name in ("one", "two"):
            coarse = Image.fromarray(random.integers(0, 256, (6, 8, 3), dtype=np.uint8))
            coarse.resize((64, 48), Image.Resampling.BICUBIC).save(folder / f"{name}.png")
    return tmp_path / "photos"


@pytest.fixture
def make_config(tmp_path: Path, photos: Path) -> MakeConfig:
    def make(out: str = "run", **optimiser: Any) -> TrainConfig:
        return TrainConfig.model_validate(
            {
                "name": "tiny",
                "out": tmp_path / out,
                "network": {"widths": [4, 8], "blocks": 1, "embedding": 8},
                "data": {"folder": photos, "crop": 16, "longest_side": [30, 60]},
                "optimiser": {"steps": 6, "batch": 2, "warmup": 2, **optimiser},
                "samples": {"count": 3, "steps": 2, "every": 3},
                "save_every": 2,
            }
        )

    return make
