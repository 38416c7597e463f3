"""The table of libraries in the documentation says what there is, and what its tests find."""

from __future__ import annotations

import inspect
import re
import sys
from pathlib import Path

import pytest

import invscore.operators
from invscore.operators import adapters

sys.path.insert(0, str(Path(__file__).parent))

PAGE = (Path(__file__).parents[3] / "docs/instruments.md").read_text(encoding="utf-8")
ELSEWHERE = ("from_matrix", "from_function")
"""Adapters that are no library's: a matrix, and any function of torch."""


def rows(title: str) -> list[list[str]]:
    """The cells of the table in the section of this title, without its head."""
    section = PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:]]


def words(cell: str) -> list[str]:
    return re.findall(r"`(\w+)[^`]*`", cell)


def test_every_library_that_is_taken_in_has_a_row() -> None:
    named = [word for row in rows("Which libraries") for word in words(row[1])]
    assert len(named) == len(set(named))
    taken = {name for name in adapters.__all__ if name.startswith("from_")}
    assert set(named) - set(ELSEWHERE) == taken
    assert all(hasattr(invscore.operators, name) for name in named)


def test_signatures_are_those_of_the_functions() -> None:
    for row in rows("Which libraries"):
        for name, given in re.findall(r"`(from_\w+)\(([^)]*)\)`", row[1]):
            known = list(inspect.signature(getattr(invscore.operators, name)).parameters)
            said = [
                part.split("=")[0].strip() for part in given.split(",") if part.strip() != "..."
            ]
            optional = [part for part in said if len(part) > 1 and part != "f"]
            assert set(optional) <= set(known), name
            assert len(said) <= len(known), name


def of_deepinv() -> dict[str, str]:
    """What is said of the adjoint of each class."""
    told = [(name, row[1]) for row in rows("deepinv, class by class") for name in words(row[0])]
    assert len(told) == len(dict(told)), "a class has two rows"
    return dict(told)


def test_every_class_of_deepinv_has_a_row() -> None:
    physics = pytest.importorskip("deepinv").physics
    bases = ("DecomposablePhysics", "ComposedPhysics", "PhysicsMultiScaler")
    classes = {
        name
        for name, found in vars(physics).items()
        if inspect.isclass(found) and issubclass(found, physics.Physics) and name not in bases
    }
    assert set(of_deepinv()) == classes


def test_what_is_said_of_deepinv_is_what_its_test_finds() -> None:
    pytest.importorskip("deepinv")
    from physics import physics
    from test_deepinv import WRONG_ADJOINT

    told = of_deepinv()
    tried = {name.split(",")[0] for name in physics()}
    off = {name.split(",")[0] for name in WRONG_ADJOINT}
    assert {name for name, what in told.items() if what == "not tried"} == set(told) - tried
    assert {name for name, what in told.items() if what.startswith("off by")} == off


def test_what_is_called_nonlinear_is() -> None:
    physics = pytest.importorskip("deepinv").physics
    for name, what in of_deepinv().items():
        if what != "not tried":
            linear = issubclass(getattr(physics, name), physics.LinearPhysics)
            assert linear == (what != "nonlinear"), name
