"""The page of the documentation is the registry's."""

from __future__ import annotations

from pathlib import Path

import pytest

from invscore.methods import METHODS, register
from invscore.methods.table import COLUMNS, markdown, needs_in_words

PAGE = Path(__file__).parents[2] / "docs" / "methods.md"


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == markdown(), "invscore methods --markdown writes it"


def test_every_method_has_a_whole_row() -> None:
    rows = [line for line in markdown().splitlines() if line.startswith("| `")]
    assert [row.split("`")[1] for row in rows] == sorted(METHODS)
    for row in rows:
        cells = row.replace("\\|", "").strip("| ").split(" | ")
        assert len(cells) == len(COLUMNS)
        assert all(cells)


def test_needs_in_words() -> None:
    assert needs_in_words(METHODS["dps"]) == "any operator, any noise"
    assert needs_in_words(METHODS["pigdm"]) == "linear operator, Gaussian noise"


def test_unknown_needs_are_refused() -> None:
    with pytest.raises(
        ValueError, match="`needs` must be of linear, svd, gaussian, density, coloured, got magic"
    ):
        register("wand", exact=True, needs=("magic",), cites="nobody")
