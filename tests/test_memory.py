"""What fits into memory."""

from __future__ import annotations

from pathlib import Path

import pytest

from invscore import memory


def test_what_is_free_is_less_than_there_is() -> None:
    assert 2**20 < memory.available() < 2**50


def test_what_does_not_fit_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "available", lambda: 3_000_000_000)
    memory.require(2.9e9, "an image")
    with pytest.raises(
        ValueError, match=r"^an image would need 4 TB of memory, 3 GB are free: x wo"
    ):
        memory.require(4e12, "an image", "x")


@pytest.mark.parametrize(
    ("count", "words"),
    [(0, "0 bytes"), (999, "999 bytes"), (1300, "1.3 kB"), (2.4e10, "24 GB"), (1e30, "1e+12 EB")],
)
def test_bytes_in_words(count: float, words: str) -> None:
    assert memory.in_words(count) == words


def test_containers_have_limits_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, text in {"max": "5000\n", "used": "2000\n", "open": "max\n"}.items():
        (tmp_path / name).write_text(text)
    limited, unlimited = (tmp_path / "max", tmp_path / "used"), (tmp_path / "open", tmp_path)
    monkeypatch.setattr(memory, "GROUPS", (unlimited, limited, (tmp_path / "no", tmp_path / "no")))
    assert memory.available() == 3000
