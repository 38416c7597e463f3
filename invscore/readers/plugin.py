"""Readers from elsewhere: a function of the user's own, or of an installed package."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import numpy as np

from invscore.plugins import find_plugin, installed
from invscore.plugins.modules import where
from invscore.readers.base import Read, Recording, Unfit, Wanted
from invscore.readers.numbers import white_of


def find_reader(name: str) -> Read:
    """The reader ``file.py:name``, ``package.module:name``, or of the entry point ``name``.

    A reader is a function ``(path)`` or ``(path, key)`` that returns an array, or a ``Recording``
    where it knows axes or units. Raises ``ValueError`` where there is no such function.
    """
    found = find_plugin("reader", name)
    if not callable(found):
        known = ", ".join(installed("reader")) or "none"
        raise ValueError(
            f"reader must be file.py:name, a function of a path, or an entry point ({known}), got "
            f"{name!r}"
        )

    def read(file: Path, wanted: Wanted) -> Recording:
        takes_key = "key" in inspect.signature(found).parameters
        if wanted.key is not None and not takes_key:
            raise Unfit(f"key must be left out: reader {name!r} takes none, got {wanted.key!r}")
        try:
            made: Any = found(file, key=wanted.key) if takes_key else found(file)
        except (Exception, SystemExit) as error:
            raise Unfit(
                f"reader {name!r} fails on {str(file)!r}: {where(error, __file__)}"
            ) from error
        if isinstance(made, Recording):
            return made
        values = np.asarray(made)
        return Recording(values, white=white_of(values.dtype))

    return read


def reader_for(file: Path) -> Read | None:
    """The entry point whose name is the suffix of ``file`` without its dot, if there is one."""
    suffix = file.suffix.lower().removeprefix(".")
    return find_reader(suffix) if suffix and suffix in installed("reader") else None
