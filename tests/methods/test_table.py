"""The page of the documentation is the registry's."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from invscore.methods import METHODS, register
from invscore.methods.cost import cost_in_words
from invscore.methods.table import COLUMNS, markdown, needs_in_words

PAGE = Path(__file__).parents[2] / "docs" / "methods.md"


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == markdown(), "invscore methods --markdown writes it"


def test_every_method_has_a_whole_row() -> None:
    rows = [line for line in markdown().splitlines() if line.startswith("| [`")]
    assert [row.split("`")[1] for row in rows] == sorted(METHODS)
    for row in rows:
        cells = row.replace("\\|", "").strip("| ").split(" | ")
        assert len(cells) == len(COLUMNS)
        assert all(cells)


@pytest.mark.parametrize("name", METHODS)
def test_every_method_has_a_section_with_all_its_options(name: str) -> None:
    _, _, text = markdown().partition(f"\n## {name}\n")
    section, info = text.partition("\n## ")[0], METHODS[name]
    assert info.cites in section
    assert ">>>" not in section
    rows = [line for line in section.splitlines() if line.startswith("| `")]
    assert [row.split("`")[1] for row in rows] == list(info.defaults)
    assert all(cell for row in rows for cell in row.strip("| ").split(" | "))


def test_needs_in_words() -> None:
    assert needs_in_words(METHODS["dps"]) == "any operator, any noise"
    assert needs_in_words(METHODS["pigdm"]) == "linear operator, Gaussian noise"


def test_unknown_needs_are_refused() -> None:
    with pytest.raises(
        ValueError, match="`needs` must be of linear, svd, gaussian, density, coloured, got magic"
    ):
        register("wand", exact=True, needs=("magic",), cites="nobody")


def test_costs_in_words() -> None:
    assert cost_in_words("2 if sampler in ('heun', 'pc') else 1") == (
        "2 with sampler heun or pc, else 1"
    )
    assert cost_in_words("particles * (measurements + 2) if measurements <= 64 else 0") == (
        "particles times (measurements + 2) for at most 64 measurements, else 0"
    )
    with pytest.raises(ValueError, match="a cost must depend on words or on a largest number"):
        cost_in_words("2 if steps > 7 else 1")


@pytest.mark.parametrize("name", METHODS)
def test_no_cost_is_code(name: str) -> None:
    info = METHODS[name]
    for words in (cost_in_words(info.evaluations), cost_in_words(info.products)):
        assert not re.search(r" if |\*|<|==|'", words), words
