"""Tensors and JSON metadata in one ``.safetensors`` file, written atomically, never unpickled."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from invscore.files import atomic_file, require_file
from invscore.files.plain_json import read_json_text

METADATA_KEY = "invscore"


class CheckpointError(ValueError):
    """The file is missing, damaged or not a checkpoint of this kind."""


def save_checkpoint(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, Any]) -> None:
    """Write ``tensors`` and ``metadata`` to ``path``: either the whole file appears or none.

    Raises ``CheckpointError`` or ``OSError`` where it cannot be written.
    """
    contiguous = {name: tensor.detach().contiguous() for name, tensor in tensors.items()}
    with atomic_file(path) as partial:
        partial.touch()
        permissions = partial.stat().st_mode
        try:
            save_file(contiguous, partial, metadata={METADATA_KEY: json.dumps(metadata)})
        except SafetensorError as error:
            raise CheckpointError(f"checkpoint {str(path)!r} cannot be written: {error}") from error
        # safetensors makes files that their owner alone can read.
        partial.chmod(permissions)
        with partial.open("rb") as file:
            os.fsync(file.fileno())


def load_checkpoint(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors (on the CPU, in their stored dtype) and metadata of ``path``.

    Raises ``CheckpointError`` for a file that is missing, damaged or without our metadata.
    """
    metadata = read_metadata(path)
    with safe_open(path, framework="pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}, metadata  # noqa: SIM118


def is_checkpoint(path: Path) -> bool:
    """Whether ``path`` is a file of ours, with metadata, be they damaged or not."""
    if not path.is_file():  # opening a pipe would never end
        return False
    try:
        with safe_open(path, framework="pt") as file:
            return METADATA_KEY in (file.metadata() or {})
    except (SafetensorError, OSError, MemoryError):  # a huge file is mapped into memory
        return False


def read_metadata(path: Path) -> dict[str, Any]:
    """The JSON metadata alone, without reading the weights."""
    try:
        require_file(path)
    except ValueError as error:
        raise CheckpointError(f"checkpoint {error}") from error
    try:
        with safe_open(path, framework="pt") as file:
            stored = (file.metadata() or {}).get(METADATA_KEY)
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"checkpoint {str(path)!r} cannot be read: {error}") from error
    if stored is None:
        raise CheckpointError(f"checkpoint {str(path)!r} has no invscore metadata")
    try:
        metadata = read_json_text(stored, finite=False)
    except ValueError as error:
        raise CheckpointError(f"checkpoint {str(path)!r} has damaged metadata: {error}") from error
    if not isinstance(metadata, dict):
        raise CheckpointError(f"checkpoint {str(path)!r} has damaged metadata: no keys and values")
    return metadata
