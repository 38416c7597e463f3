"""Is this still the same run? A saved state goes on under its own configuration and data."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from invscore.files.checkpoint import CheckpointError, read_metadata
from invscore.training.config import TrainConfig

FREE = {
    "name",
    "description",
    "licence",
    "out",
    "init",
    "compile",
    "workers",
    "save_every",
    "samples",
    "data.folder",
    "data.path",
    "optimiser.steps",
    "optimiser.accumulate",
    "optimiser.decay_fraction",
}
"""Keys that may change within a run: its length, names and places (the data have their digest), and
how the work is laid out and reported."""


def config_as_json(config: TrainConfig) -> dict[str, Any]:
    """The configuration in JSON's types."""
    return config.model_dump(mode="json")


def check_same_config(state_file: Path, config: TrainConfig) -> None:
    """Raise ``CheckpointError`` where the state is that of another configuration."""
    metadata = read_metadata(state_file)
    if "recipe" not in metadata:
        raise CheckpointError(
            f"{str(state_file)!r} is of an older kind: train into another folder (init: takes the "
            "weights of a prior over)"
        )
    try:  # what an older version did not know was as its default is
        with warnings.catch_warnings(action="ignore", category=FutureWarning):  # keys' former names
            then = TrainConfig.model_validate(metadata["recipe"])
    except ValidationError as error:
        raise CheckpointError(
            f"{str(state_file)!r} is of another version of invscore: train into another folder"
        ) from error
    before, now = dict(_leaves(config_as_json(then))), dict(_leaves(config_as_json(config)))
    for key in sorted(before.keys() | now.keys()):
        if before.get(key) != now.get(key) and not _free(key):
            raise CheckpointError(
                f"{key} is {now.get(key)}, and {before.get(key)} in the run that "
                f"{str(state_file)!r} belongs to: restore it, or train into another folder"
            )


def check_same_data(state_file: Path, data_digest: str) -> None:
    """Raise ``CheckpointError`` where the state is that of a run on other data."""
    if read_metadata(state_file).get("data_digest") != data_digest:
        raise CheckpointError(
            f"the training data are not those of the run that {str(state_file)!r} belongs to: "
            "restore them, or train into another folder"
        )


def _leaves(section: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in section.items():
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, f"{path}{key}.")
        else:
            yield path + key, value


def _free(key: str) -> bool:
    return key in FREE or key.split(".")[0] in FREE
