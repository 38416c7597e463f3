"""Pickles read without running anything: classes become records, tensors are rebuilt safely."""

from __future__ import annotations

import pickle
from collections import deque
from collections.abc import Callable
from struct import unpack
from typing import Any, ClassVar

import torch

from invscore.priors.foreign.rebuilt import Array, Rebuild, key
from invscore.priors.foreign.records import Record, Refused, inert_class

DATA_LIBRARIES = {
    "addict", "argparse", "dnnlib", "easydict", "enum", "lightning", "lightning_fabric",
    "ml_collections", "omegaconf", "pathlib", "pytorch_lightning", "typing", "types", "yacs",
}  # fmt: skip
"""Libraries of configurations, whose classes are read as plain records; none is imported."""

PERSISTENT = "_reconstruct_persistent_obj"
"""Function by which NVlabs' pickles rebuild a network from source code, which is never run."""

CLASS, NAME = 2048, 100
"""Bytes that a class may take, and characters of a name that are told."""

EMPTY = {pickle.EMPTY_DICT: 64, pickle.EMPTY_LIST: 56, pickle.EMPTY_SET: 216, pickle.MARK: 64}
"""Bytes of memory for each empty container, which takes a single byte of the file."""


class Unpickler(pickle._Unpickler):
    """Reads a pickle of tensors, arrays, plain Python and records; ``Refused`` for all else.

    It is Python's own written in Python: the one in C keeps what is memorised in a table as long as
    the largest place that the file names, 32 GiB for eight bytes. Of its instructions those that
    put something into an object do so for plain containers and records alone: otherwise a file
    could change our own functions, or have tensors grow.

    ``rebuild`` makes what names stand for, ``storage`` what a persistent name stands for.
    """

    dispatch: ClassVar[dict[int, Callable[[Any], None]]] = dict(pickle._Unpickler.dispatch)

    # Of the class above, which the types of the standard library do not tell.
    stack: list[Any]
    append: Callable[[Any], None]
    pop_mark: Callable[[], list[Any]]
    read: Callable[[int], bytes]

    def __init__(
        self, file: Any, rebuild: Rebuild, storage: Callable[[Any], Any] | None = None
    ) -> None:
        super().__init__(file, encoding="utf-8")
        self.rebuild, self._storage = rebuild, storage
        self._classes: dict[tuple[str, str], type[Record]] = {}

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in self.rebuild.known:
            return self.rebuild.known[module, name]
        if module == "torch" and isinstance(getattr(torch, name, None), torch.dtype):
            return getattr(torch, name)
        if name == PERSISTENT or module.split(".")[0] in DATA_LIBRARIES:
            if (module, name) not in self._classes:
                self.rebuild.room.take(CLASS + len(module) + len(name))
                self._classes[module, name] = inert_class(module, name)
            return self._classes[module, name]
        raise Refused(f"{'builtins' if module == '__builtin__' else module}.{name}"[:NAME])

    def persistent_load(self, pid: Any) -> Any:
        if self._storage is None:
            raise Refused("a name of something outside of the file")
        return self._storage(pid)

    def _build(self) -> None:
        state = self.stack.pop()
        thing = self.stack[-1]
        if isinstance(thing, (Record, Array)):
            thing.__setstate__(state)
        elif not isinstance(thing, (dict, list, set, frozenset, deque)):  # attributes of these
            raise Refused(f"a state for a {type(thing).__name__}")

    def _set_items(self) -> None:
        items = self.pop_mark()
        self._put(items)

    def _set_item(self) -> None:
        value, name = self.stack.pop(), self.stack.pop()
        self._put([name, value])

    def _put(self, items: list[Any]) -> None:
        into = self.stack[-1]
        if not isinstance(into, (dict, Record)):
            raise Refused(f"items for a {type(into).__name__}")
        for name, value in zip(items[::2], items[1::2], strict=True):
            into[key(name)] = value

    def _dict(self) -> None:
        items = self.pop_mark()
        self.append({})
        self._put(items)

    def _append(self) -> None:
        self._extend([self.stack.pop()])

    def _appends(self) -> None:
        self._extend(self.pop_mark())

    def _extend(self, items: list[Any]) -> None:
        into = self.stack[-1]
        if not isinstance(into, (list, deque, Record)):
            raise Refused(f"items for a {type(into).__name__}")
        into.extend(items)

    def _add_items(self) -> None:
        items = [key(item) for item in self.pop_mark()]
        if not isinstance(self.stack[-1], set):
            raise Refused(f"items for a {type(self.stack[-1]).__name__}")
        self.stack[-1].update(items)

    def _frozen_set(self) -> None:
        self.append(frozenset(key(item) for item in self.pop_mark()))

    def _bytes(self) -> None:
        (size,) = unpack("<Q", self.read(8))
        self.rebuild.room.take(size)
        self.append(bytearray(self.read(size)))

    def _registered(self) -> None:
        raise Refused("a number that stands for a registered class")


for _code, _load in {
    pickle.BUILD: Unpickler._build,
    pickle.SETITEM: Unpickler._set_item,
    pickle.SETITEMS: Unpickler._set_items,
    pickle.DICT: Unpickler._dict,
    pickle.APPEND: Unpickler._append,
    pickle.APPENDS: Unpickler._appends,
    pickle.ADDITEMS: Unpickler._add_items,
    pickle.FROZENSET: Unpickler._frozen_set,
    pickle.BYTEARRAY8: Unpickler._bytes,
    pickle.EXT1: Unpickler._registered,
    pickle.EXT2: Unpickler._registered,
    pickle.EXT4: Unpickler._registered,
}.items():
    Unpickler.dispatch[_code[0]] = _load


def _charged(load: Callable[[Any], None], size: int) -> Callable[[Any], None]:
    def charged(unpickler: Unpickler) -> None:
        unpickler.rebuild.room.take(size)
        load(unpickler)

    return charged


for _code, _size in EMPTY.items():
    Unpickler.dispatch[_code[0]] = _charged(Unpickler.dispatch[_code[0]], _size)
