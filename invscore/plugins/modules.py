"""Python files of the user's own: imported by name, their errors told with file and line."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from invscore.files import require_file

LARGEST = 2**24
"""Largest size of a Python file in bytes."""

_folders: set[str] = set()
"""Folders from which users' own files were imported."""


def load_module(file: Path) -> ModuleType:
    """The module in ``file``. Raises ``ValueError`` where it is missing or cannot be imported."""
    require_file(file, largest=LARGEST)
    name = str(file.resolve())  # as a module's name it hides no other module
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None  # the suffix is .py
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    folder = str(file.parent.resolve())
    _folders.add(folder)
    sys.path.insert(0, folder)  # as Python does for a script
    sys.modules[name] = module  # where dataclasses look for the module that they are in
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise ValueError(f"{str(file)!r} cannot be imported: {where(error, __file__)}") from error
    return module


def find_object(address: str) -> Any:
    """What ``file.py:name`` or ``package.module:name`` stands for.

    Raises ``ValueError`` where there is no such module or it has no such name.
    """
    place, colon, name = address.rpartition(":")
    if not (colon and place and name):
        raise ValueError(f"an address must be file.py:name or package.module:name, got {address!r}")
    if place.endswith(".py"):
        module = load_module(Path(place))
    else:
        try:
            module = importlib.import_module(place)
        except (Exception, SystemExit) as error:
            raise ValueError(f"{place!r} cannot be imported: {where(error, __file__)}") from error
    if not hasattr(module, name):
        raise ValueError(f"{place!r} defines no {name!r}")
    return getattr(module, name)


def where(error: BaseException, caller: str) -> str:
    """The error with the place in the user's code that raised it.

    ``caller`` is our file that called their code: an error raised there, by the call itself, is
    nowhere in their code.
    """
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    code = trace.tb_frame.f_code.co_filename if trace is not None else ""
    if code == caller or code.startswith("<frozen"):  # Python's own machinery of imports
        return f"{type(error).__name__}: {error}"
    line = error.lineno if isinstance(error, SyntaxError) else trace and trace.tb_lineno
    file = error.filename if isinstance(error, SyntaxError) else None
    file = file or code or "?"
    text = error.msg if isinstance(error, SyntaxError) else " ".join(str(error).split())
    return f"{type(error).__name__}: {text} ({Path(file).name}, line {line})"


def blamed(error: BaseException) -> str | None:
    """``my_file.py, line 7`` where it was code of the user's own that raised ``error``."""
    trace, place = error.__traceback__, None
    while trace is not None:
        file = Path(trace.tb_frame.f_code.co_filename)
        if str(file.parent) in _folders:
            place = f"{file.name}, line {trace.tb_lineno}"
        elif trace.tb_frame.f_globals.get("__name__", "").split(".")[0] == "invscore":
            place = None  # their code has called ours, with what it should not be given
        trace = trace.tb_next
    return place
