"""Folders that can be written to, folders that cannot, and folders that are filled as a whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from invscore.files import atomic_folder, check_writable


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


def fill(folder: Path, *names: str) -> Path:
    """Fill ``folder``, whose files may be called a and b; where they were before they moved."""
    with atomic_folder(folder, names=["a", "b"]) as partial:
        for name in names:
            (partial / name).write_text(name)
        return partial


def test_a_folder_is_filled(tmp_path: Path) -> None:
    folder = tmp_path / "not" / "yet"
    fill(folder, "a", "b")
    (folder / "theirs").touch()
    fill(folder, "b")
    assert sorted(file.name for file in folder.iterdir()) == ["b", "theirs"]
    assert [file.name for file in tmp_path.iterdir()] == ["not"]


def test_what_fails_leaves_nothing(tmp_path: Path) -> None:
    old = tmp_path / "old"
    fill(old, "a")
    for folder in (old, tmp_path / "not" / "yet"):
        with pytest.raises(FileNotFoundError):
            fill(folder, "b", "no/such/folder")
    assert sorted(tmp_path.rglob("*")) == [old, old / "a"]


def test_a_folder_may_be_on_another_disk_than_its_parent(tmp_path: Path) -> None:
    """Renaming does not cross disks: what is to move there is written there from the first."""
    (tmp_path / "disk").mkdir()
    (tmp_path / "link").symlink_to("disk")
    assert fill(tmp_path / "link", "a").is_relative_to(tmp_path / "disk")
    assert (tmp_path / "disk" / "a").read_text() == "a"
    assert (tmp_path / "link").is_symlink()


def test_where_a_link_leads_is_tried(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("file/below")
    with pytest.raises(ValueError, match="cannot be written to: "):
        check_writable(tmp_path / "link")


def test_the_current_folder_is_filled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    fill(Path(), "a")
    assert [file.name for file in tmp_path.iterdir()] == ["a"]
