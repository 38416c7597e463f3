"""The prior that a configuration describes, before it has learned anything."""

from __future__ import annotations

import torch

from invscore.networks import build_network
from invscore.priors.library import prior_class
from invscore.priors.network import NetworkPrior
from invscore.training.config import TrainConfig


def image_channels(config: TrainConfig) -> int:
    """Number of channels of the images: a complex one takes two of the network's."""
    return config.network.channels // (2 if config.prior.complex else 1)


def untrained_prior(config: TrainConfig) -> NetworkPrior:
    """A network prior, or an energy, with weights drawn from ``config.seed``."""
    architecture = config.network.model_dump(mode="json")
    if config.noise.maps:
        architecture["noise_maps"] = True
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        network = build_network(**architecture)
    metadata = {
        "name": config.name,
        "description": config.description,
        "licence": config.licence,
        "architecture": architecture,
    }
    return prior_class(metadata)(
        network,
        channels=image_channels(config),
        **config.prior.model_dump(),
        metadata=metadata,
    )
