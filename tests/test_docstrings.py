"""Every public function and class has an example in its docstring, and what it says comes out.

What a package's own example defines is there in those of its functions. An example whose libraries
are not installed is skipped: it is known by what it imports.
"""

from __future__ import annotations

import ast
import doctest
import importlib
import importlib.util
import inspect
import pkgutil
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest

import invscore

Parsed = doctest.DocTest


def public_packages() -> Iterator[ModuleType]:
    """The packages, but not their modules, that say which names are theirs."""
    yield invscore
    for found in pkgutil.walk_packages(invscore.__path__, "invscore."):
        if found.ispkg and hasattr(module := importlib.import_module(found.name), "__all__"):
            yield module


def public_names() -> dict[str, tuple[str, Any]]:
    """Functions and classes by their first address, with the package that shows them first."""
    names: dict[str, tuple[str, Any]] = {}
    known: set[int] = set()
    for package in public_packages():
        for name in package.__all__:
            thing = getattr(package, name)
            if (inspect.isclass(thing) or inspect.isroutine(thing)) and id(thing) not in known:
                known.add(id(thing))
                names[f"{package.__name__}.{name}"] = (package.__name__, thing)
    return names


NAMES = public_names()


def parsed(thing: Any, name: str, names: dict[str, Any]) -> Parsed:
    return doctest.DocTestParser().get_doctest(inspect.getdoc(thing) or "", names, name, name, 0)


def missing(test: Parsed) -> list[str]:
    """The libraries that the example imports and that are not installed."""
    trees = [ast.parse(example.source) for example in test.examples]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    wanted = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    wanted += [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)]
    libraries = {name.split(".")[0] for name in wanted}
    return [name for name in sorted(libraries) if importlib.util.find_spec(name) is None]


def run(test: Parsed) -> None:
    said: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    done = runner.run(test, out=said.append, clear_globs=False)
    assert done.failed == 0, "".join(said)


@pytest.mark.parametrize("name", NAMES)
def test_examples_run(name: str) -> None:
    package, thing = NAMES[name]
    before = parsed(importlib.import_module(package), package, {})
    test = parsed(thing, name, before.globs)
    assert test.examples, "no example"
    if libraries := missing(test):
        pytest.skip(f"{', '.join(libraries)} not installed")
    run(before)
    test.globs.update(before.globs)
    run(test)


def test_the_walk_finds_names_of_all_rooms() -> None:
    assert {
        "invscore.reconstruct_many",
        "invscore.operators.CameraBlur",
        "invscore.methods.dps",
    } <= (set(NAMES))
    assert len(NAMES) > 200
