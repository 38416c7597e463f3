"""Folders that can be written to, folders that cannot, and folders that are filled as a whole."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from invscore.files import atomic_file, atomic_folder, check_writable, require_file


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


def test_a_folder_appears_whole(tmp_path: Path) -> None:
    """By one renaming: whoever looks sees nothing or all of it."""
    seen = []
    with atomic_folder(tmp_path / "new", names=["a", "b"]) as partial:
        (partial / "a").touch()
        seen.append((tmp_path / "new").exists())
        (partial / "b").touch()
    assert seen == [False]
    assert sorted(file.name for file in (tmp_path / "new").iterdir()) == ["a", "b"]


def test_the_mark_tells_that_all_else_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path, "a", "b")
    moves: list[str] = []
    replace = os.replace

    def noting(source: Path, target: Path) -> None:
        moves.append(Path(target).name)
        assert not (tmp_path / "b").exists()
        replace(source, target)

    monkeypatch.setattr(os, "replace", noting)
    with atomic_folder(tmp_path, names=["b", "a"], mark="b") as partial:
        (partial / "a").touch()
        (partial / "b").touch()
    assert moves == ["a", "b"]


def test_what_a_link_leads_to_is_written(tmp_path: Path) -> None:
    (tmp_path / "link.json").symlink_to("target.json")
    with atomic_file(tmp_path / "link.json") as partial:
        partial.write_text("new")
    assert (tmp_path / "link.json").is_symlink()
    assert (tmp_path / "target.json").read_text() == "new"


def test_a_full_disk_is_named(tmp_path: Path) -> None:
    def fills_the_disk() -> None:
        with atomic_folder(tmp_path / "deep" / "new", names=["a"]) as partial:
            (partial / "a").touch()
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(OSError, match=r"No space left on device: '.*new'$"):
        fills_the_disk()
    assert not list(tmp_path.iterdir())


def test_files_that_can_be_read(tmp_path: Path) -> None:
    (tmp_path / "good").write_text("12345")
    require_file(tmp_path / "good", largest=5)
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "link").symlink_to("nowhere")
    faults = {
        "good": "has 5 bytes: at most 4 bytes are expected",
        "pipe": "is a pipe: a file is needed",
        "": "is a folder: a file is needed",
        "none": "no such file$",
        "good/below": "no such file$",
        "link": r"no such file \(it is a link to 'nowhere'\)",
        "loop": "cannot be read: Too many levels of symbolic links",
        "/dev/zero": "is a device: a file is needed",
    }
    for name, message in faults.items():
        with pytest.raises(ValueError, match=message):
            require_file(tmp_path / name, largest=4)
