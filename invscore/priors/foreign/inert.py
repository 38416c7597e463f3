"""Pickles read without running anything: classes become records, tensors are rebuilt safely."""

from __future__ import annotations

import io
import math
import pickle
import sys
import zipfile
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable
from typing import Any, BinaryIO, Self

import numpy as np
import torch
from torch import Tensor

DATA_LIBRARIES = {
    "addict", "argparse", "dnnlib", "easydict", "enum", "lightning", "lightning_fabric",
    "ml_collections", "omegaconf", "pathlib", "pytorch_lightning", "typing", "types", "yacs",
}  # fmt: skip
"""Of configurations and the like: their classes are read as records, and none is imported."""

PERSISTENT = "_reconstruct_persistent_obj"
"""What NVlabs' pickles rebuild a network with: from source of their own, which is never run."""


UNPACKED = 8
"""How many times its own size an archive may unpack to: weights hardly shrink."""


class Refused(ValueError):
    """The pickle would run something: its name."""


class Record:
    """What a pickle says of an object of the class ``source``: never an object of that class.

    ``args`` it would have been made with, the ``state`` it would have been given, ``items`` that
    would have been put in.
    """

    source = ""

    args: tuple[Any, ...]
    state: Any
    items: list[Any]
    mapping: dict[Any, Any]

    def __new__(cls, *args: Any, **more: Any) -> Self:  # pickles do not call __init__
        record = super().__new__(cls)
        record.args, record.state = args, None
        record.items, record.mapping = [], dict(more)
        return record

    def __init__(self, *args: Any, **more: Any) -> None:
        """Nothing more."""

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def __setitem__(self, key: Any, value: Any) -> None:
        self.mapping[key] = value

    def append(self, item: Any) -> None:
        self.items.append(item)

    def extend(self, items: Iterable[Any]) -> None:
        self.items.extend(items)

    @property
    def fields(self) -> dict[str, Any]:
        """State, and items of a mapping, by name."""
        state = self.state
        if isinstance(state, tuple) and len(state) == 2:  # (__dict__, __slots__)
            state = {**(state[0] or {}), **(state[1] or {})}
        return {**(state if isinstance(state, dict) else {}), **self.mapping}

    def __repr__(self) -> str:
        return f"Record({self.source})"


def inert_class(module: str, name: str) -> type[Record]:
    """A class of records that stand for ``module.name``."""
    return type(name, (Record,), {"source": f"{module}.{name}"})


class StorageType:
    """The kind of a storage of numbers, as a pickle names it."""

    dtype = torch.uint8


class Unpickler(pickle.Unpickler):
    """Reads a pickle of tensors, arrays, plain Python and records; ``Refused`` for all else."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in KNOWN:
            return KNOWN[module, name]
        if module == "torch" and isinstance(getattr(torch, name, None), torch.dtype):
            return getattr(torch, name)
        if module in ("torch", "torch.cuda") and name in STORAGES:
            return type(name, (StorageType,), {"dtype": STORAGES[name]})
        if name == PERSISTENT or module.split(".")[0] in DATA_LIBRARIES:
            return inert_class(module, name)
        raise Refused(f"{'builtins' if module == '__builtin__' else module}.{name}")


def load(file: Any, **options: Any) -> Any:
    """What ``pickle.load`` is to the module ``pickle``: ``torch.load`` takes this one instead."""
    return Unpickler(file, **options).load()


def read_torch(file: BinaryIO) -> Any:
    """What ``torch.save`` wrote, tensors on the CPU. Raises ``Refused`` for what is not plain.

    The archive of today is read here: torch trusts what a pickle says of the size of a storage.
    """
    if file.read(2) != b"PK":
        file.seek(0)
        return torch.load(file, "cpu", sys.modules[__name__], weights_only=False)
    size = file.seek(0, 2)
    with zipfile.ZipFile(file) as archive:
        names = archive.namelist()
        unpacked = sum(entry.file_size for entry in archive.infolist())
        if unpacked > UNPACKED * size + 2**20:
            raise Refused(f"an archive that unpacks to {unpacked / 2**30:.1f} GiB")
        if any(name.endswith("/constants.pkl") or "/code/" in name for name in names):
            raise Refused("a TorchScript archive, which is a program")
        root = next((name[: -len("data.pkl")] for name in names if name.endswith("data.pkl")), None)
        if root is None or root.count("/") > 1:
            raise Refused("an archive that torch.save did not write")
        if f"{root}byteorder" in names and archive.read(f"{root}byteorder") != b"little":
            raise Refused("numbers in the byte order of other machines")
        return _ArchiveUnpickler(archive, root).load()


class _ArchiveUnpickler(Unpickler):
    def __init__(self, archive: zipfile.ZipFile, root: str) -> None:
        super().__init__(io.BytesIO(archive.read(f"{root}data.pkl")), encoding="utf-8")
        self.archive, self.root = archive, root
        self.storages: dict[str, Any] = {}

    def persistent_load(self, pid: Any) -> Any:
        kind, storage, key, _, _ = pid
        if kind != "storage":
            raise Refused(f"an object called {kind!r}")
        if key not in self.storages:
            content = bytearray(self.archive.read(f"{self.root}data/{key}"))
            untyped = torch.empty(0, dtype=torch.uint8).untyped_storage()
            if content:
                untyped = torch.frombuffer(content, dtype=torch.uint8).untyped_storage()
            if not (isinstance(storage, type) and issubclass(storage, StorageType)):
                raise Refused("a storage of no known kind")
            self.storages[key] = torch.storage.TypedStorage(  # type: ignore[no-untyped-call]
                wrap_storage=untyped, dtype=storage.dtype, _internal=True
            )
        return self.storages[key]


def _from_bytes(content: bytes) -> Any:
    """The storage of a tensor within a pickle: a file of torch's own."""
    return read_torch(io.BytesIO(content))


def _rebuild_tensor(storage: Any, offset: int, size: Any, stride: Any, *_: Any) -> Tensor:
    """As ``torch._utils._rebuild_tensor_v2``, of what lies in the storage and no more."""
    size, stride = tuple(map(int, size)), tuple(map(int, stride))
    if not isinstance(storage, torch.storage.TypedStorage):
        raise Refused("a tensor without a storage")
    last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
    count = math.prod(size)
    available = storage._untyped_storage.nbytes() // storage.dtype.itemsize
    if min((*size, *stride, offset, 0)) < 0 or (count and last >= available) or count > available:
        raise Refused("a tensor larger than its storage")
    return torch._utils._rebuild_tensor(  # type: ignore[no-untyped-call]
        storage, offset, size, stride
    )


def _rebuild_parameter(data: Tensor, *_: Any) -> Tensor:
    return data


def _rebuild_from_type(function: Callable[..., Any], kind: Any, args: Any, state: Any) -> Any:  # noqa: ARG001
    return function(*args)


def _encode(text: str, encoding: str = "latin1") -> bytes:
    return text.encode("latin1" if encoding not in ("utf-8", "ascii") else encoding)


def _reconstructor(kind: type, base: type, state: Any) -> Any:  # noqa: ARG001
    return kind()


def _defaultdict(*_: Any) -> defaultdict[Any, Any]:
    return defaultdict()


def _array(kind: Any, shape: Any, code: Any) -> np.ndarray[Any, Any]:  # noqa: ARG001
    return np.ndarray((0,), "b")


def _scalar(dtype: Any, content: bytes = b"") -> Any:
    if not isinstance(dtype, np.dtype) or dtype.hasobject:
        raise Refused("a NumPy scalar of objects")
    return np.frombuffer(content, dtype, 1)[0] if content else np.zeros((), dtype)[()]


STORAGES = {
    "BFloat16Storage": torch.bfloat16,
    "BoolStorage": torch.bool,
    "ByteStorage": torch.uint8,
    "CharStorage": torch.int8,
    "ComplexDoubleStorage": torch.complex128,
    "ComplexFloatStorage": torch.complex64,
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "IntStorage": torch.int32,
    "LongStorage": torch.int64,
    "ShortStorage": torch.int16,
}
KNOWN: dict[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): OrderedDict,
    ("collections", "defaultdict"): _defaultdict,
    ("collections", "deque"): deque,
    ("copyreg", "_reconstructor"): _reconstructor,
    ("copy_reg", "_reconstructor"): _reconstructor,
    ("_codecs", "encode"): _encode,
    ("torch", "Size"): torch.Size,
    ("torch", "device"): torch.device,
    ("torch._utils", "_rebuild_tensor"): _rebuild_tensor,
    ("torch._utils", "_rebuild_tensor_v2"): _rebuild_tensor,
    ("torch._utils", "_rebuild_parameter"): _rebuild_parameter,
    ("torch._utils", "_rebuild_parameter_with_state"): _rebuild_parameter,
    ("torch._tensor", "_rebuild_from_type_v2"): _rebuild_from_type,
    ("torch.nn.parameter", "Parameter"): _rebuild_parameter,
    ("torch", "Tensor"): inert_class("torch", "Tensor"),
    ("torch.nn.modules.container", "ModuleDict"): inert_class("torch.nn", "ModuleDict"),
    ("torch.nn.modules.container", "ModuleList"): inert_class("torch.nn", "ModuleList"),
    ("torch.storage", "_load_from_bytes"): _from_bytes,
    ("torch.storage", "UntypedStorage"): StorageType,
    ("numpy", "ndarray"): inert_class("numpy", "ndarray"),
    ("numpy", "dtype"): np.dtype,
}
for _module in ("builtins", "__builtin__"):
    KNOWN |= {
        (_module, kind.__name__): kind for kind in (set, frozenset, complex, dict, list, tuple)
    }
    KNOWN[_module, "object"] = inert_class("builtins", "object")
for _module in ("numpy.core.multiarray", "numpy._core.multiarray"):
    KNOWN[_module, "_reconstruct"] = _array
    KNOWN[_module, "scalar"] = _scalar
