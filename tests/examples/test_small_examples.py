"""The examples run as they are written."""

from __future__ import annotations

from pathlib import Path

import pytest
from scripts import EXAMPLES, run

from invscore.operators import check_operator


def test_restore(tmp_path: Path) -> None:
    figure = tmp_path / "figure.png"
    text = run("restore.py", str(figure))
    decibels = {line.rsplit(maxsplit=2)[0]: float(line.split()[-2]) for line in text.splitlines()}
    assert decibels["mean"] > decibels["measurement"] + 3
    assert figure.stat().st_size > 10_000


@pytest.mark.parametrize("name", ["Interlaced", "Saturating"])
def test_operators_of_ones_own(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(EXAMPLES))
    import my_operators

    check_operator(getattr(my_operators, name)((1, 9, 8))).raise_if_failed()
