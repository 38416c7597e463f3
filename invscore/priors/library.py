"""Priors by name or by file."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from invscore.checkpoint import CheckpointError, read_metadata
from invscore.priors.energy import EnergyPrior
from invscore.priors.network import NetworkPrior

SUFFIX = ".safetensors"


def available_priors() -> dict[str, dict[str, Any]]:
    """The priors that come with invscore: their metadata by name."""
    return {name: read_metadata(path) for name, path in sorted(_shipped().items())}


def load_prior(name_or_file: str | Path) -> NetworkPrior:
    """A prior that comes with invscore, by name, or one from a ``.safetensors`` file.

    It is an ``EnergyPrior`` where its network is a potential.

    Raises ``CheckpointError`` where there is no such prior or the file cannot be read.
    """
    path = _shipped().get(str(name_or_file), Path(name_or_file))
    if not path.is_file():
        raise CheckpointError(
            f"prior {str(name_or_file)!r} is neither a file nor one of "
            f"{', '.join(sorted(_shipped()))}"
        )
    metadata = read_metadata(path)
    if not isinstance(metadata.get("architecture", {}), Mapping):
        raise CheckpointError(
            f"checkpoint {str(path)!r} is no prior: its architecture is no mapping"
        )
    return prior_class(metadata).load(path)


def prior_class(metadata: Mapping[str, Any]) -> type[NetworkPrior]:
    """The class of the prior that ``metadata`` of a checkpoint describe."""
    return EnergyPrior if metadata.get("architecture", {}).get("energy") else NetworkPrior


def _shipped() -> dict[str, Path]:
    folder = Path(str(resources.files("invscore.priors.shipped")))
    return {path.stem: path for path in folder.glob(f"*{SUFFIX}")}
