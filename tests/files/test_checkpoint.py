"""Checkpoints come back as they were, or one sentence says why not."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from invscore.files import checkpoint
from invscore.files.checkpoint import (
    CheckpointError,
    load_checkpoint,
    read_metadata,
    save_checkpoint,
)

TENSORS = {
    "half": torch.arange(6, dtype=torch.float16).reshape(2, 3),
    "double": torch.tensor(1 / 3, dtype=torch.float64),
    "turned": torch.arange(24.0).reshape(2, 3, 4).transpose(0, 2),
    "numbers": torch.tensor([2**40, -1]),
}
METADATA = {"name": "ä", "nested": {"list": [1, 2.5, None, True]}}


def saved(folder: Path) -> Path:
    file = folder / "deep" / "down" / "file.safetensors"
    save_checkpoint(file, TENSORS, METADATA)
    return file


def test_round_trip(tmp_path: Path) -> None:
    tensors, metadata = load_checkpoint(saved(tmp_path))
    assert metadata == METADATA
    assert tensors.keys() == TENSORS.keys()
    for name, tensor in TENSORS.items():
        assert tensors[name].dtype == tensor.dtype
        assert torch.equal(tensors[name], tensor)
    assert read_metadata(saved(tmp_path)) == METADATA


def test_others_may_read_it_as_any_other_file(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.touch()
    assert stat.S_IMODE(saved(tmp_path).stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)


def test_missing_file_and_folder(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no such file"):
        load_checkpoint(tmp_path / "none.safetensors")
    with pytest.raises(CheckpointError, match="is a folder: a file is needed"):
        load_checkpoint(tmp_path)


@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 0.99])
def test_truncated(tmp_path: Path, share: float) -> None:
    file = saved(tmp_path)
    content = file.read_bytes()
    file.write_bytes(content[: int(share * len(content))])
    with pytest.raises(CheckpointError, match=r"file\.safetensors' cannot be read"):
        load_checkpoint(file)


def test_of_another_kind(tmp_path: Path) -> None:
    file = tmp_path / "file.safetensors"
    for metadata in (None, {"format": "pt"}):
        save_file(TENSORS | {"turned": torch.zeros(1)}, file, metadata)
        with pytest.raises(CheckpointError, match="no invscore metadata"):
            load_checkpoint(file)
    save_file({"a": torch.zeros(1)}, file, {checkpoint.METADATA_KEY: "{"})
    with pytest.raises(CheckpointError, match="damaged metadata"):
        load_checkpoint(file)
    save_file({"a": torch.zeros(1)}, file, {checkpoint.METADATA_KEY: "[1]"})
    with pytest.raises(CheckpointError, match="damaged metadata: no keys and values"):
        load_checkpoint(file)
    torch.save(TENSORS, file)
    with pytest.raises(CheckpointError, match="cannot be read"):
        load_checkpoint(file)


@pytest.mark.parametrize("moment", ["write", "rename"])
def test_a_failure_leaves_the_old_file(
    tmp_path: Path, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = saved(tmp_path)
    before = file.read_bytes()

    def fails(*arguments: Any, **options: Any) -> None:  # noqa: ARG001
        Path(arguments[1]).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    if moment == "write":
        monkeypatch.setattr(checkpoint, "save_file", fails)
    else:
        monkeypatch.setattr(os, "replace", lambda *_: fails(None, tmp_path / "other"))
    with pytest.raises(OSError, match="No space left"):
        save_checkpoint(file, {"a": torch.ones(1)}, {})
    assert file.read_bytes() == before
    assert [f.name for f in file.parent.iterdir()] == [file.name]


def test_metadata_that_is_no_json(tmp_path: Path) -> None:
    with pytest.raises(TypeError):
        save_checkpoint(tmp_path / "file.safetensors", TENSORS, {"a": object()})
    assert list(tmp_path.iterdir()) == []
