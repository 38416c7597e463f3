"""Every script of the examples says what it does and takes, and writes nothing for it."""

from __future__ import annotations

from pathlib import Path

import pytest
from scripts import EXAMPLES, run

SCRIPTS = sorted(
    str(path.relative_to(EXAMPLES))
    for path in EXAMPLES.rglob("*.py")
    if 'if __name__ == "__main__":' in path.read_text(encoding="utf-8")
)


@pytest.mark.parametrize("name", SCRIPTS)
def test_help(name: str, tmp_path: Path) -> None:
    text = run(name, "--help", folder=tmp_path)
    assert text.startswith("usage: ")
    assert len(text.splitlines()) > 4
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", SCRIPTS)
def test_an_option_that_is_not_there(name: str, tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as end:
        run(name, "--no-such-option", folder=tmp_path)
    assert end.value.code == 2
    assert not list(tmp_path.iterdir())
