"""Architectures of other people's checkpoints, written anew, by name."""

from __future__ import annotations

from typing import Any

from torch import nn

from invscore.networks.foreign.dhariwal_unet import DhariwalUNet
from invscore.networks.foreign.drunet import DRUNet, GradientStepDRUNet
from invscore.networks.foreign.edm2_unet import EDM2UNet
from invscore.networks.foreign.k_diffusion_unet import KDiffusionUNet
from invscore.networks.foreign.memory_unet import MemoryUNet
from invscore.networks.foreign.ncsnv2 import NCSNv2
from invscore.networks.foreign.plain_cnn import DnCNN, FDnCNN, FFDNet
from invscore.networks.foreign.residual_unet import ResidualUNet
from invscore.networks.foreign.skip_unet import SkipUNet
from invscore.networks.foreign.song_unet import ScoreUNet, SongUNet

FOREIGN: dict[str, type[nn.Module]] = {
    "dhariwal-unet": DhariwalUNet,
    "dncnn": DnCNN,
    "drunet": DRUNet,
    "edm2-unet": EDM2UNet,
    "fdncnn": FDnCNN,
    "ffdnet": FFDNet,
    "gradient-step-drunet": GradientStepDRUNet,
    "k-diffusion-unet": KDiffusionUNet,
    "memory-unet": MemoryUNet,
    "ncsnv2": NCSNv2,
    "residual-unet": ResidualUNet,
    "score-unet": ScoreUNet,
    "skip-unet": SkipUNet,
    "song-unet": SongUNet,
}


def build_foreign(name: str, **options: Any) -> nn.Module:
    """The network ``name`` with untrained weights. Raises ``ValueError`` for an unknown name."""
    if name not in FOREIGN:
        raise ValueError(f"unknown network {name!r}: known are {', '.join(sorted(FOREIGN))}")
    return FOREIGN[name](**options)
