"""The table of foreign checkpoints: what a file is, in the order in which it is asked.

Refusals come first where a file of that kind would pass for another; a family whose signs are a
part of another's comes after it.
"""

from __future__ import annotations

from invscore.priors.foreign import (
    ddim,
    diffusers,
    drunet,
    guided,
    k_diffusion,
    karras,
    latent,
    lucidrains,
    monai,
    ncsnv2,
    nvlabs,
    plain_cnn,
    pnp_flow,
    score_sde,
)
from invscore.priors.foreign.family import Family, Refusal

REFUSALS: tuple[Refusal, ...] = (
    diffusers.LATENT,
    latent.LDM,
    latent.AUTOENCODER_ALONE,
    nvlabs.LATENT,
    nvlabs.GAN,
    guided.CLASSIFIER,
    lucidrains.OLD,
)  # fmt: skip

FAMILIES: tuple[Family, ...] = (
    diffusers.FAMILY,
    nvlabs.FAMILY,
    karras.FAMILY,
    score_sde.FAMILY,
    ncsnv2.FAMILY,
    k_diffusion.FAMILY,
    drunet.FAMILY,
    plain_cnn.DNCNN,
    plain_cnn.FFDNET,
    guided.FAMILY,
    lucidrains.FAMILY,
    ddim.FAMILY,
    pnp_flow.FAMILY,
    monai.FAMILY,
)  # fmt: skip

LAST_REFUSALS: tuple[Refusal, ...] = (
    diffusers.OTHER,
)  # fmt: skip
"""Refusals that apply only where no family has recognised the file."""
