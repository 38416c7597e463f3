"""The page of operators is made from their builders, and says what each option means."""

from __future__ import annotations

from pathlib import Path

import pytest

from invscore.tasks.builtin import BUILTIN, option_defaults
from invscore.tasks.operator_table import described, markdown

PAGE = Path(__file__).parents[2] / "docs" / "operators.md"


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == markdown(), "invscore operators --markdown writes it"


@pytest.mark.parametrize("name", BUILTIN)
def test_every_option_has_a_meaning(name: str) -> None:
    facts = described(name)
    assert facts["summary"]
    assert "y" in facts["model"] or name in ("interferometry", "blind-deblur")
    assert list(facts["options"]) == list(option_defaults(name)) == list(facts["meanings"])
    assert all(text.endswith(".") for text in facts["meanings"].values())


def test_what_must_be_given_is_told_by_its_kind() -> None:
    assert described("interferometry")["options"] == {"uv": "FILE", "pixel": "NUMBER"}


def test_an_option_is_described_by_its_own_builder_first() -> None:
    assert described("cassi")["meanings"]["mask"].startswith("file of the mask, of the scene's")
    assert described("box")["meanings"]["size"] != described("shake")["meanings"]["size"]


def test_an_operator_of_the_users_own_has_the_options_of_its_signature(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "from invscore.operators import LinearOperator\n"
        "class Rows(LinearOperator):\n"
        '    """Every so many rows.\n\n    y = x of each n-th row.\n    """\n'
        "    def __init__(self, in_shape, every: int, kind: str = 'even'): ...\n",
        encoding="utf-8",
    )
    facts = described(f"{tmp_path / 'mine.py'}:Rows")
    assert facts["summary"] == "Every so many rows."
    assert facts["model"] == "y = x of each n-th row."
    assert facts["options"] == {"every": "NUMBER", "kind": "even"}


def test_unknown_operators_are_refused() -> None:
    with pytest.raises(ValueError, match=r"unknown operator 'deblurr'.*did you mean 'deblur'"):
        described("deblurr")
