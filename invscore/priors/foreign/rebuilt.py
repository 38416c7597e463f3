"""Stand-ins for the names in a pickle of weights: functions of ours that make plain values."""

from __future__ import annotations

import math
import re
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from invscore.priors.foreign.records import Record, Refused, Room, inert_class

MOST_AXES = 32
DTYPE = re.compile(r"[biufcSUO]\d{1,4}|\?")


class StorageType:
    """The kind of a storage of numbers, as a pickle names it."""

    dtype = torch.uint8


STORAGES = {
    f"{name}Storage": type(f"{name}Storage", (StorageType,), {"dtype": dtype})
    for name, dtype in {
        "BFloat16": torch.bfloat16,
        "Bool": torch.bool,
        "Byte": torch.uint8,
        "Char": torch.int8,
        "ComplexDouble": torch.complex128,
        "ComplexFloat": torch.complex64,
        "Double": torch.float64,
        "Float": torch.float32,
        "Half": torch.float16,
        "Int": torch.int32,
        "Long": torch.int64,
        "Short": torch.int16,
    }.items()
}


class Array(np.ndarray[Any, Any]):
    """An array that a pickle fills, with no more than the bytes that it brings along."""

    room: Room

    def __setstate__(self, state: Any) -> None:
        *_, shape, kind, fortran, content = state
        dtype, shape = _dtype(kind), _shape(shape)
        given = len(content) * (dtype.itemsize if isinstance(content, list) else 1)
        if dtype.hasobject != isinstance(content, list) or math.prod(shape) * dtype.itemsize != (
            given
        ):
            raise Refused("an array of another size than its numbers")
        self.room.take(math.prod(shape) * dtype.itemsize)
        state = (1, shape, dtype, bool(fortran), content)
        super().__setstate__(state)


def key(given: Any) -> Any:
    """``given``, if it can be looked up quickly: a deep tuple could take years to."""
    plain = (str, bytes, int, float, bool, type(None), torch.dtype, Record)
    if isinstance(given, plain) or (
        isinstance(given, tuple) and all(isinstance(part, plain) for part in given)
    ):
        return given
    raise Refused(f"a {type(given).__name__} as a key")


class Rebuild:
    """Tensors, arrays and containers, made of what a pickle says in the ``room`` that there is.

    ``nested`` reads the bytes of another file of torch within a pickle.
    """

    def __init__(self, room: Room, nested: Callable[[bytes], Any]) -> None:
        self.room = room
        self.known: dict[tuple[str, str], Any] = {
            ("collections", "OrderedDict"): self._counted(OrderedDict),
            ("collections", "defaultdict"): lambda *_: defaultdict(),
            ("collections", "deque"): self._counted(deque),
            ("copyreg", "_reconstructor"): lambda kind, *_: kind(),
            ("copy_reg", "_reconstructor"): lambda kind, *_: kind(),
            ("_codecs", "encode"): self._encode,
            ("torch", "Size"): self._counted(torch.Size),
            ("torch", "device"): torch.device,
            ("torch._utils", "_rebuild_tensor"): _tensor,
            ("torch._utils", "_rebuild_tensor_v2"): _tensor,
            ("torch._utils", "_rebuild_parameter"): lambda data, *_: data,
            ("torch._utils", "_rebuild_parameter_with_state"): lambda data, *_: data,
            ("torch._tensor", "_rebuild_from_type_v2"): lambda make, _kind, args, _state: make(
                *args
            ),
            ("torch.nn.parameter", "Parameter"): lambda data, *_: data,
            ("torch", "Tensor"): inert_class("torch", "Tensor"),
            ("torch.nn.modules.container", "ModuleDict"): inert_class("torch.nn", "ModuleDict"),
            ("torch.nn.modules.container", "ModuleList"): inert_class("torch.nn", "ModuleList"),
            ("torch.storage", "_load_from_bytes"): nested,
            ("torch.storage", "UntypedStorage"): StorageType,
            ("numpy", "ndarray"): inert_class("numpy", "ndarray"),
            ("numpy", "dtype"): inert_class("numpy", "dtype"),
        }
        for module in ("builtins", "__builtin__"):
            for kind in (set, frozenset, dict, list, tuple):
                self.known[module, kind.__name__] = self._counted(kind)
            self.known[module, "complex"] = complex
            self.known[module, "object"] = inert_class("builtins", "object")
        for package in ("numpy.core", "numpy._core"):
            self.known[f"{package}.multiarray", "_reconstruct"] = self._array
            self.known[f"{package}.multiarray", "scalar"] = self._scalar
            self.known[f"{package}.numeric", "_frombuffer"] = self._from_buffer
        for name, storage in STORAGES.items():
            self.known["torch", name] = self.known["torch.cuda", name] = storage

    def _counted(self, kind: Callable[..., Any]) -> Callable[..., Any]:
        """``kind`` of a list or the like, whose copy is counted and whose keys are plain."""

        def make(items: Any = (), *more: Any) -> Any:
            self.room.take(16 * len(items))
            if kind in (set, frozenset):
                return kind([key(item) for item in items])
            if kind in (dict, OrderedDict):
                pairs = items.items() if isinstance(items, dict) else items
                return kind([(key(name), value) for name, value in pairs])
            return kind(items, *more)

        return make

    def _encode(self, text: str, encoding: str = "latin1") -> bytes:
        self.room.take(len(text))
        return text.encode(encoding if encoding in ("utf-8", "ascii") else "latin1")

    def _array(self, *_: Any) -> Array:
        made = np.ndarray.__new__(Array, (0,), "b")
        made.room = self.room
        return made

    def _from_buffer(self, content: Any, kind: Any, shape: Any, order: str) -> Any:
        dtype, shape = _dtype(kind), _shape(shape)
        if dtype.hasobject or math.prod(shape) * dtype.itemsize != len(content):
            raise Refused("an array of another size than its numbers")
        return np.frombuffer(content, dtype).reshape(shape, order="F" if order == "F" else "C")

    def _scalar(self, kind: Any, content: Any = b"") -> Any:
        dtype = _dtype(kind)
        if dtype.hasobject:
            raise Refused("a NumPy scalar of objects")
        if not isinstance(content, bytes) or len(content) != dtype.itemsize:
            raise Refused("a NumPy scalar of another size than its number")
        return np.frombuffer(content, dtype, 1)[0]


def _tensor(storage: Any, offset: int, size: Any, stride: Any, *_: Any) -> Tensor:
    """As ``torch._utils._rebuild_tensor_v2``, of what lies in the storage and no more."""
    size, stride = _shape(size), _shape(stride)
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


def _shape(given: Any) -> tuple[int, ...]:
    """``given``, if it is a shape or strides."""
    if not isinstance(given, (tuple, list, torch.Size)) or len(given) > MOST_AXES:
        raise Refused("an array without a shape")
    if not all(type(n) is int and abs(n) < 2**63 for n in given):
        raise Refused("an array without a shape")
    return tuple(given)


def _dtype(record: Any) -> np.dtype[Any]:
    """The plain type of numbers that a record of ``numpy.dtype`` names."""
    code = record.args[0] if isinstance(record, Record) and record.args else None
    if not isinstance(code, str) or not DTYPE.fullmatch(code):
        raise Refused("an array of no plain numbers")
    state = record.state
    swapped = isinstance(state, tuple) and len(state) > 1 and state[1] == ">"
    return np.dtype(code).newbyteorder(">" if swapped else "<")
