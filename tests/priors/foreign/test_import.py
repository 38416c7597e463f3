"""Priors of every network of ours survive being written to a file of our own, bit for bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from invscore.networks.foreign import build_foreign
from invscore.priors.foreign.loading import load_imported, save_recipe
from invscore.priors.foreign.recipe import Recipe

LEVELS = {
    "down": [
        {"width": 8, "blocks": 1, "heads": None, "resampling": "conv"},
        {"width": 16, "blocks": 1, "heads": 2, "resampling": None},
    ],
    "up": [
        {"width": 16, "blocks": 2, "heads": 2, "resampling": "residual"},
        {"width": 8, "blocks": 2, "heads": None, "resampling": None},
    ],
    "middle": 2,
}
SKIP = {
    side: [{"width": 32, "blocks": blocks, "heads": heads} for heads in (None, 1)]
    for side, blocks in (("down", 1), ("up", 2))
}
TIME = {"channels": 3, "out": 3, "time_width": 8, "time_out": 16}
STAGE = {"width": 8, "out": 8, "heads": 2, "head": 4, "memory": 1}
NETWORKS: list[dict[str, Any]] = [
    {"name": "residual-unet", **TIME, **LEVELS, "groups": 4, "by_head": True, "scale_shift": True},
    {"name": "skip-unet", **TIME, **SKIP, "middle": 1, "embedding": {"kind": "fourier"}},
    {
        "name": "memory-unet",
        **TIME,
        "stages": [{**STAGE, "full": False}, {**STAGE, "full": True}],
        "middle": [2, 4, 1],
    },
]


@pytest.mark.parametrize("network", NETWORKS, ids=lambda network: network["name"])
def test_saved_and_loaded(network: dict[str, Any], tmp_path: Path) -> None:
    torch.manual_seed(0)
    built = build_foreign(**network)
    weights = {name: torch.randn_like(weight) / 8 for name, weight in built.state_dict().items()}
    abar = torch.cumprod(1 - torch.linspace(1e-4, 0.02, 50), dim=0)
    recipe = Recipe(
        network=network,
        weights=weights,
        diffusion={"predicts": "epsilon", "alphas_cumprod": abar.tolist()},
        prior={"channels": 3, "range": (-1.0, 1.0), "multiple": built.multiple},
        facts={"weights": "EMA"},
    )
    prior = recipe.build()
    path = tmp_path / "prior.safetensors"
    save_recipe(path, recipe, {})
    again = load_imported(path)
    x = torch.randn(2, 3, 9, 16)
    with torch.no_grad():
        assert torch.equal(prior.denoise(x, 0.3), again.denoise(x, 0.3))
    assert again.facts["weights"] == "EMA"

    denoised, pull = prior.pullback(x, 0.3)
    assert denoised.shape == pull(torch.ones_like(x)).shape == x.shape
