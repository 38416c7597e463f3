"""A tiny untrained prior, and configurations that are done in a moment."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from invscore.bench.imaging.config import ImagingConfig, read_imaging_config
from invscore.networks import build_network
from invscore.priors.network import NetworkPrior

Write = Callable[..., Path]


@pytest.fixture(scope="session")
def tiny_prior(tmp_path_factory: pytest.TempPathFactory) -> str:
    torch.manual_seed(0)
    sizes: dict[str, Any] = {"channels": 1, "widths": [8, 16], "blocks": 1}
    network = build_network("unet", **sizes)
    path = tmp_path_factory.mktemp("prior") / "tiny.safetensors"
    metadata = {"architecture": {"name": "unet", **sizes}}
    NetworkPrior(network, channels=1, metadata=metadata).save(path)
    return str(path)


@pytest.fixture
def write_config(tmp_path: Path, tiny_prior: str) -> Write:
    """``write_config(key=value, ...)`` writes a small configuration with these keys changed."""

    def write(**changes: Any) -> Path:
        content = {
            "prior": tiny_prior,
            "size": 32,
            "limit": 2,
            "tasks": [
                {"name": "blur", "op": "deblur(sigma=1)"},
                {"name": "hdr", "op": "hdr"},
            ],
            "methods": [
                {"name": "diffpir", "samples": 3, "options": {"steps": 2}},
                {"name": "wiener"},
            ],
        }
        content |= changes
        path = tmp_path / "config.yaml"
        path.write_text(yaml.safe_dump({k: v for k, v in content.items() if v is not None}))
        return path

    return write


@pytest.fixture
def make_config(write_config: Write) -> Callable[..., ImagingConfig]:
    return lambda **changes: read_imaging_config(write_config(**changes))
