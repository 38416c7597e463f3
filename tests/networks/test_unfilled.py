"""Networks without weights: counted without torch's compiler."""

from __future__ import annotations

import subprocess
import sys

import torch

from invscore.networks import build_network
from invscore.networks.check import check_architecture
from invscore.networks.unfilled import unfilled


def test_weights_have_shapes_and_no_more() -> None:
    options = {"channels": 1, "widths": [4, 8], "blocks": 1}
    with unfilled():
        blank = build_network("unet", **options)
    whole = build_network("unet", **options)
    for (name, weight), (other, like) in zip(
        blank.named_parameters(), whole.named_parameters(), strict=True
    ):
        assert (name, weight.shape, weight.device.type) == (other, like.shape, "meta")
    assert check_architecture("unet", **options) == sum(w.numel() for w in whole.parameters())
    assert torch.empty(1).device.type == "cpu"


def test_a_prior_is_loaded_without_the_compiler() -> None:
    code = (
        "import sys; from invscore import load_prior; load_prior('photos-gray'); "
        "sys.exit(any(name in sys.modules for name in ('torch._dynamo', 'sympy')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
