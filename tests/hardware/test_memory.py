"""What fits into memory."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from invscore.hardware import memory


def test_what_is_free_is_less_than_there_is() -> None:
    assert 2**20 < memory.available() < 2**50


def test_what_does_not_fit_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "available", lambda: 3_000_000_000)
    memory.require(2.9e9, "an image")
    with pytest.raises(
        ValueError, match=r"^an image would need 4 TB of memory, 3 GB are free: x wo"
    ):
        memory.require(4e12, "an image", "x")


def test_a_megabyte_is_not_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "available", lambda: 0)
    memory.require(2**20, "an image")
    with pytest.raises(ValueError, match="an image would need"):
        memory.require(2**20 + 1, "an image")


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


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc alone can be asked")
def test_what_is_freed_is_given_back() -> None:
    """In a process of its own: ten tensors of 8 MB, every other one of which is freed."""
    code = (
        "import torch; from invscore.hardware import memory; assert memory.give_back_at_once()\n"
        "held = [torch.ones(2**21) for _ in range(10)]; before = memory.SIZES.read_text()\n"
        "del held[::2]; after = memory.SIZES.read_text()\n"
        "pages = [int(each.split()[1]) for each in (before, after)]\n"
        "print((pages[0] - pages[1]) * 4096)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout) > 35_000_000


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc alone can be asked")
def test_what_is_freed_is_kept_where_dask_would_give_it_back() -> None:
    """Thirty tensors of 4 MB one after another: the pages of a few, or of each of them.

    No result is held: one may lie behind its tensor, whose place is then too small for the next.
    """
    code = (
        "import resource, torch; from invscore.hardware import memory; torch.ones(2**20); {}\n"
        "count = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_minflt\n"
        "before = count(); assert not any(torch.ones(2**20).sum() < 0 for _ in range(30))\n"
        "print(count() - before)"
    )
    dask = {**os.environ, "MALLOC_TRIM_THRESHOLD_": "65536"}
    given, kept = (
        subprocess.run(
            [sys.executable, "-c", code.format(line)],
            env=dask,
            capture_output=True,
            text=True,
            check=True,
        )
        for line in ("", "assert memory.keep_freed()")
    )
    assert int(kept.stdout) < 15 * 1024 < 29 * 1024 < int(given.stdout)
