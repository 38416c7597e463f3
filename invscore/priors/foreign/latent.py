"""Checkpoints of latent diffusion, which are refused: their noise is not that of an image."""

from __future__ import annotations

from collections.abc import Mapping

from invscore.priors.foreign.containers import Content
from invscore.priors.foreign.family import Refusal

SIGNS = (
    "model.diffusion_model.",
    "first_stage_model.",
    "cond_stage_model.",
    "conditioner.embedders.",
)
AUTOENCODER = ("encoder.conv_in.weight", "decoder.conv_in.weight")


def _names(content: Content) -> list[str]:
    found = content.at("state_dict")
    found = found if isinstance(found, Mapping) else content.data
    return [str(name) for name in found] if isinstance(found, Mapping) else []


LDM = Refusal(
    title="a latent diffusion checkpoint",
    recognise=lambda content: any(name.startswith(SIGNS) for name in _names(content)),
    why="its network knows latent codes: a prior must denoise images, and the noise of an image is "
    "no noise of its code",
)
AUTOENCODER_ALONE = Refusal(
    title="an autoencoder",
    recognise=lambda content: all(name in _names(content) for name in AUTOENCODER),
    why="it makes codes of images and images of codes: a prior must denoise images",
)
