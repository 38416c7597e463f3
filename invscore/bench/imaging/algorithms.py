"""Who takes part: the methods of invscore and the baselines, under one roof of names."""

from __future__ import annotations

import importlib.util

from invscore.baselines import BASELINES, BaselineInfo
from invscore.methods import METHODS, MethodInfo
from invscore.options.words import meant

Algorithm = MethodInfo | BaselineInfo


def find_algorithm(name: str) -> Algorithm:
    """The method or the baseline ``name``.

    Raises ``ValueError`` for an unknown one, and for one whose package is not installed: what is
    missing shall be known before a long run, not be a gap in its table.
    """
    if name in METHODS:
        return METHODS[name]
    if name not in BASELINES:
        raise ValueError(
            f"unknown method {name!r}: known are {', '.join(sorted(METHODS))}, and the baselines "
            f"{', '.join(sorted(BASELINES))}{meant(name, [*METHODS, *BASELINES])}"
        )
    info = BASELINES[name]
    if info.package is not None and importlib.util.find_spec(info.package) is None:
        raise ValueError(
            f"method {name!r} needs the package {info.package}: pip install 'invscore[bench]', or "
            "choose others with --methods"
        )
    return info
