"""The examples run as they are written."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from invscore.operators import check_operator

EXAMPLES = Path(__file__).parents[1] / "examples"


def test_restore(tmp_path: Path) -> None:
    figure = tmp_path / "figure.png"
    command = [sys.executable, str(EXAMPLES / "restore.py"), str(figure)]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    decibels = {
        line.rsplit(maxsplit=2)[0]: float(line.split()[-2]) for line in run.stdout.splitlines()
    }
    assert decibels["mean"] > decibels["measurement"] + 3
    assert figure.stat().st_size > 10_000


@pytest.mark.parametrize("name", ["Interlaced", "Saturating"])
def test_operators_of_ones_own(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(EXAMPLES))
    import my_operators

    check_operator(getattr(my_operators, name)((1, 9, 8))).raise_if_failed()
