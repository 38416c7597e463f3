"""Any file of weights, opened without running code: the one place where foreign files are read."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import pickle
import struct
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from safetensors import SafetensorError, safe_open
from torch import Tensor

from invscore.files.checkpoint import CheckpointError
from invscore.priors.foreign.records import Record, Refused
from invscore.priors.foreign.torch_files import LEGACY, read_pickled

Kind = Literal["torch", "pickle", "safetensors", "folder"]

MAGIC = {
    b"\x89HDF": "an HDF5 file, of Keras perhaps",
    b"GGUF": "a GGUF file",
    b"version https://git-lfs": "a pointer of Git LFS, not the file itself: 'git lfs pull' gets it",
    b"<!DOC": "a web page: the download has failed",
    b"<html": "a web page: the download has failed",
    b"\x93NUMPY": "an array, no network",
    b"\x08": "an ONNX file: a program without the weights by name",
    b"\x1f\x8b": "a compressed archive: unpack it first",
    b"BZh": "a compressed archive: unpack it first",
    b"\xfd7zXZ": "a compressed archive: unpack it first",
}


@dataclass(frozen=True)
class Content:
    """What a file holds: ``data``, of plain Python, tensors, arrays and records alone.

    ``data`` of a folder are the contents of its JSON files and its files of weights, by their path
    within it, the latter as dictionaries of tensors that are read when they are asked for.
    ``metadata`` are those of a ``.safetensors`` file.
    """

    path: Path
    kind: Kind
    data: Any = field(repr=False)
    metadata: Mapping[str, str] = field(default_factory=dict, repr=False)

    def at(self, *keys: str | int) -> Any:
        """``data[key][key]...``, or ``None`` where there is no such thing."""
        found = self.data
        for key in keys:
            if isinstance(found, Record):
                found = found.fields
            if isinstance(found, Tensor):  # which would be indexed by the letters of a name
                return None
            try:
                found = found[key]
            except (KeyError, IndexError, TypeError):
                return None
        return found

    def digest(self) -> str:
        """SHA-256 of the file; of a folder, of its JSON and weights."""
        total = hashlib.sha256()
        names = sorted(self.data) if self.kind == "folder" else [""]
        for file in (self.path / name for name in names):
            with file.open("rb") as stream:
                while block := stream.read(2**22):
                    total.update(block)
        return f"sha256:{total.hexdigest()}"


def open_content(path: Path) -> Content:
    """What the file or folder ``path`` holds; nothing in it is run.

    Raises ``CheckpointError``, in one sentence, for what is missing, damaged, too large for this
    machine, of no known kind, or would have to be run.
    """
    if path.is_dir():
        return Content(path, "folder", _folder(path))
    if not path.is_file():
        what = "it is a pipe or a device" if path.exists() else "no such file"
        raise CheckpointError(f"checkpoint {str(path)!r}: {what}")
    _require_memory(path)
    with path.open("rb") as file:
        head = file.read(64)
    if not head:
        raise CheckpointError(f"checkpoint {str(path)!r} is empty")
    if head[8:9] == b"{" and struct.unpack("<Q", head[:8])[0] < 2**40:
        tensors, metadata = _safetensors(path)
        return Content(path, "safetensors", tensors, metadata)
    try:
        if head.startswith((b"PK", b"\x80")):
            kind: Kind = "torch" if head.startswith((b"PK", LEGACY)) else "pickle"
            with path.open("rb") as file:
                return Content(path, kind, read_pickled(file))
    except Refused as error:
        raise CheckpointError(
            f"checkpoint {str(path)!r} is refused, for nothing in a file is ever run: it holds "
            f"{error}; save its weights alone, torch.save(model.state_dict(), ...)"
        ) from None
    except (zipfile.BadZipFile, EOFError, pickle.UnpicklingError) as error:
        told = str(error) or "it ends too soon"
        raise CheckpointError(f"checkpoint {str(path)!r} is damaged: {told}") from error
    except MemoryError as error:
        raise CheckpointError(f"checkpoint {str(path)!r} asks for too much memory") from error
    except Exception as error:  # whatever a file made by anybody leads pickle or torch to
        told = f"{type(error).__name__}: {error}"
        if isinstance(error, UnicodeError):
            told = "a name in it is no text"
        elif isinstance(error, OSError) and error.errno == errno.EINVAL:
            told = "it points to where no file has anything"
        raise CheckpointError(f"checkpoint {str(path)!r} is damaged: {told}") from error
    known = next((what for magic, what in MAGIC.items() if head.startswith(magic)), None)
    raise CheckpointError(
        f"checkpoint {str(path)!r} is {known or 'no file of torch.save or of safetensors'}"
    )


def _folder(path: Path) -> Folder:
    """Its JSON files, and its files of weights to be read when asked for, down to its folders."""
    found: dict[str, Any] = {}
    for file in sorted([*path.glob("*"), *path.glob("*/*")]):
        name = file.relative_to(path).as_posix()
        if not file.is_file():  # a pipe or a device would never end
            continue
        if file.suffix == ".json" and file.stat().st_size < 2**24:
            try:
                found[name] = json.loads(file.read_text(encoding="utf-8"))
            except UnicodeDecodeError as error:
                raise CheckpointError(f"{str(file)!r} is no JSON: it is no text") from error
            except (ValueError, RecursionError) as error:
                raise CheckpointError(f"{str(file)!r} is no JSON: {error}") from error
        elif file.suffix == ".safetensors" or (
            file.match("diffusion_pytorch_model*.bin")  # of diffusers, before 2023
            and not file.with_suffix(".safetensors").exists()
        ):
            found[name] = file
    return Folder(found)


class Folder(Mapping[str, Any]):
    """The contents of files by name; those of files of weights are read when they are asked for."""

    def __init__(self, found: Mapping[str, Any]) -> None:
        self._found = dict(found)

    def __getitem__(self, name: str) -> Any:
        if isinstance(file := self._found[name], Path):
            self._found[name] = open_content(file).data
        return self._found[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)


def _safetensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            return tensors, file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"checkpoint {str(path)!r} cannot be read: {error}") from error


def _require_memory(path: Path) -> None:
    """Raise ``CheckpointError`` for a file that is larger than this machine's memory."""
    size = path.stat().st_size
    memory = (
        os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else size
    )
    if size > memory:
        raise CheckpointError(
            f"checkpoint {str(path)!r} has {size / 2**30:.0f} GiB, more than this machine's memory "
            f"of {memory / 2**30:.0f} GiB"
        )
