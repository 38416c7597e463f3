"""What a benchmark says of the code that it has run."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

import invscore
from invscore.bench.versions import commit


@pytest.mark.skipif(shutil.which("git") is None, reason="there is no git")
def test_the_commit_is_asked_without_touching_the_repository(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "invscore" / "__init__.py"
    package.parent.mkdir()
    package.write_text("")
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b"]
    for words in (["init", "-q"], ["add", "invscore"], ["commit", "-qm", "first"]):
        subprocess.run([*git, *words], check=True)
    monkeypatch.setattr(invscore, "__file__", str(package))
    os.utime(package, (1e9, 1e9))  # which makes git read it again, and note that in its index
    index = (tmp_path / ".git" / "index").read_bytes()
    found = commit()
    assert found is not None
    assert len(found) == 10
    assert (tmp_path / ".git" / "index").read_bytes() == index
    package.write_text("changed")
    assert commit() == f"{found}-dirty"
