"""Files of torch.save, of today and of before version 1.6, and plain pickles: read inertly."""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Callable
from typing import Any, BinaryIO

import torch

from invscore.priors.foreign.inert import Unpickler
from invscore.priors.foreign.rebuilt import Rebuild, StorageType
from invscore.priors.foreign.records import NESTED, Refused, Room, require_foldable

LEGACY = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."
"""First bytes of files that torch.save wrote before torch 1.6: a pickle of their magic number."""


def read_pickled(file: BinaryIO) -> Any:
    """What ``torch.save`` or ``pickle.dump`` wrote, tensors on the CPU.

    Raises ``Refused`` for what is not plain, and whatever a damaged file leads Python to.
    """
    room = Room(os.fstat(file.fileno()).st_size)
    found = _read(file, room)
    require_foldable(found)
    return found


def _read(file: BinaryIO, room: Room) -> Any:
    start = file.read(len(LEGACY))
    file.seek(0)
    rebuild = Rebuild(room, lambda content: _nested(content, room))
    if start.startswith(b"PK"):
        return _archive(file, rebuild)
    if start == LEGACY:
        return _legacy(file, rebuild)
    return Unpickler(file, rebuild).load()


def _nested(content: Any, room: Room) -> Any:
    """The storage of a tensor within a pickle: a file of torch's own."""
    if not isinstance(content, (bytes, bytearray)):
        raise Refused("a storage without bytes")
    room.take(len(content))
    room.depth += 1
    if room.depth > NESTED:
        raise Refused("archives within archives within archives")
    found = _read(io.BytesIO(content), room)
    room.depth -= 1
    return found


def _archive(file: BinaryIO, rebuild: Rebuild) -> Any:
    """An archive of today: torch itself trusts what a pickle says of the size of a storage."""
    with zipfile.ZipFile(file) as archive:
        names = archive.namelist()
        unpacked = sum(entry.file_size for entry in archive.infolist())
        rebuild.room.take(unpacked, "an archive")
        if any(name.endswith("/constants.pkl") or "/code/" in name for name in names):
            raise Refused("a TorchScript archive, which is a program")
        root = next((name[: -len("data.pkl")] for name in names if name.endswith("data.pkl")), None)
        if root is None or root.count("/") > 1:
            raise Refused("an archive that torch.save did not write")
        if f"{root}byteorder" in names and archive.read(f"{root}byteorder") != b"little":
            raise Refused("numbers in the byte order of other machines")
        storages: dict[str, Any] = {}

        def storage(pid: Any) -> Any:
            kind, name, *_ = _storage_id(pid)
            if name not in storages:
                storages[name] = _storage(bytearray(archive.read(f"{root}data/{name}")), kind)
            return storages[name]

        return Unpickler(io.BytesIO(archive.read(f"{root}data.pkl")), rebuild, storage).load()


def _legacy(file: BinaryIO, rebuild: Rebuild) -> Any:
    """Pickles one after another: three of the format, the objects, names of storages; then these,
    each with the count of its numbers."""

    def load(storage: Callable[[Any], Any] | None = None) -> Any:
        return Unpickler(file, rebuild, storage).load()

    _magic, _protocol, system = load(), load(), load()
    if not isinstance(system, dict) or system.get("little_endian") is not True:
        raise Refused("numbers in the byte order of other machines")
    contents: dict[str, tuple[bytearray, Any, int]] = {}

    def storage(pid: Any) -> Any:
        kind, name, _, count, *view = _storage_id(pid)
        size = kind.dtype.itemsize
        if name not in contents:
            if not 0 <= count < 2**63:
                raise Refused("a storage of no size")
            rebuild.room.take(count * size)
            content = bytearray(count * size)
            contents[name] = content, _storage(content, kind), count
        whole = contents[name][1]
        if not view or view[0] is None:
            return whole
        _, first, length = view[0]
        part = whole._untyped_storage[first * size : (first + length) * size]
        return _typed(part, kind)

    found = load(storage)
    for name in load():
        content, _, count = contents[name]
        if int.from_bytes(file.read(8), "little") != count:
            raise EOFError("a storage has another size than the file says")
        if file.readinto(content) != len(content):  # type: ignore[attr-defined]
            raise EOFError("it ends within its numbers")
    return found


def _storage_id(pid: Any) -> tuple[Any, ...]:
    """Kind, name, place, count and more of the storage that a persistent name stands for."""
    if not isinstance(pid, tuple) or len(pid) < 5 or pid[0] != "storage":
        raise Refused("something outside of the file that is no storage")
    _, kind, name, _, count, *_ = pid
    if not (isinstance(kind, type) and issubclass(kind, StorageType)):
        raise Refused("a storage of no known kind")
    if not isinstance(name, str) or type(count) is not int:
        raise Refused("a storage without a name or a size")
    return pid[1:]


def _storage(content: bytearray, kind: Any) -> Any:
    """The storage that shares the memory of ``content``."""
    untyped = torch.empty(0, dtype=torch.uint8).untyped_storage()
    if content:
        untyped = torch.frombuffer(content, dtype=torch.uint8).untyped_storage()
    return _typed(untyped, kind)


def _typed(untyped: Any, kind: Any) -> Any:
    return torch.storage.TypedStorage(  # type: ignore[no-untyped-call]
        wrap_storage=untyped, dtype=kind.dtype, _internal=True
    )
