"""Folders that can be written to, and folders that cannot."""

from __future__ import annotations

from pathlib import Path

import pytest

from invscore.files import check_writable


def test_trying_a_folder_leaves_nothing(tmp_path: Path) -> None:
    check_writable(tmp_path)
    check_writable(tmp_path / "not" / "yet")
    assert not list(tmp_path.iterdir())


def test_folders_that_cannot_be_written_to(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    places = [tmp_path / "file" / "below"]
    places += [Path("/proc/below")] if Path("/proc").is_dir() else []  # even root cannot
    for folder in places:
        with pytest.raises(ValueError, match="cannot be written to: ") as caught:
            check_writable(folder)
        assert str(folder) in str(caught.value)
