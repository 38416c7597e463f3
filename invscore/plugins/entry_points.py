"""Plug-ins from files of the user's own and from installed packages.

A plug-in is named ``file.py:name``, ``package.module:name`` or by an entry point of an installed
package, which the package declares in its ``pyproject.toml``::

    [project.entry-points."invscore.methods"]
    mine = "my_package.methods:mine"

Nothing is imported before it is asked for by its name.
"""

from __future__ import annotations

import sys
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Literal

from invscore.plugins.modules import find_object, where

Kind = Literal["prior", "method", "network", "operator", "reader", "noise"]


def installed(kind: Kind) -> dict[str, EntryPoint]:
    """The entry points of a ``kind`` by name: of the group ``invscore.methods``, and so on.

    >>> "nobody-has-entered-this" in installed("method")
    False
    """
    return _installed(kind, tuple(sys.path))


@lru_cache
def _installed(kind: Kind, path: tuple[str, ...]) -> dict[str, EntryPoint]:  # noqa: ARG001
    # Every package of the path is looked at, a tenth of a second: once, not for every file.
    return {point.name: point for point in entry_points(group=f"invscore.{kind}s")}


def is_address(name: str) -> bool:
    """Whether ``name`` says where an object is: ``file.py:name`` or ``package.module:name``.

    >>> [is_address(name) for name in ("camera.py:Binning", "lab.camera:Binning", "blur")]
    [True, True, False]
    """
    place, colon, inner = name.rpartition(":")
    return bool(colon) and (place.endswith(".py") or _is_dotted(place)) and inner.isidentifier()


def find_plugin(kind: Kind, name: str) -> Any:
    """What ``name`` stands for, or None where it is neither an address nor an entry point.

    Raises ``ValueError`` where it is one and leads nowhere, or its code cannot be imported.

        >>> find_plugin("method", "fractions:Fraction")
        <class 'fractions.Fraction'>
    """
    if is_address(name):
        return find_object(name)
    point = installed(kind).get(name)
    if point is None:
        return None
    try:
        return point.load()
    except (Exception, SystemExit) as error:
        raise ValueError(
            f"the {kind} {name!r}, {point.value} of an installed package, cannot be imported: "
            f"{where(error, __file__)}"
        ) from error


def _is_dotted(place: str) -> bool:
    return all(part.isidentifier() for part in place.split("."))
