"""Locks: one holder at a time, and none for ever."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from invscore.bench.imaging import claims
from invscore.bench.imaging.claims import Claims


def test_one_at_a_time(tmp_path: Path) -> None:
    lock = tmp_path / "a.lock"
    with Claims().claim(lock) as ours:
        assert ours
        with Claims().claim(lock) as theirs:
            assert not theirs
        assert lock.exists()
        with Claims().claim(tmp_path / "b.lock") as other:
            assert other
    assert not lock.exists()
    with Claims().claim(lock) as again:
        assert again


def test_an_error_lets_go(tmp_path: Path) -> None:
    lock = tmp_path / "a.lock"
    with pytest.raises(KeyError), Claims().claim(lock):
        raise KeyError
    assert not lock.exists()


def test_the_dead_hold_nothing(tmp_path: Path) -> None:
    lock = tmp_path / "a.lock"
    done = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], stdout=-1)
    lock.write_text(f"{socket.gethostname()} {int(done.stdout)}")
    with Claims().claim(lock) as ours:
        assert ours


def test_a_silent_holder_elsewhere_is_given_up(tmp_path: Path) -> None:
    lock = tmp_path / "a.lock"
    lock.write_text(f"another-machine {os.getpid()}")
    ours, hurried = Claims(patience=0.2), Claims(patience=60)
    for each in (ours, hurried):
        with each.claim(lock) as claimed:
            assert not claimed, "nobody has waited yet"
    os.utime(lock, (1, 1))
    with ours.claim(lock) as claimed:
        assert not claimed, "it was touched, whatever the other machine's clock says"
    time.sleep(0.25)
    with hurried.claim(lock) as claimed:
        assert not claimed
    with ours.claim(lock) as claimed:
        assert claimed
        assert lock.read_text() == f"{socket.gethostname()} {os.getpid()}"


def test_a_touch_is_a_sign_of_life(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "BEAT", 0.02)
    lock = tmp_path / "a.lock"
    watching = Claims(patience=0.1)
    with Claims().claim(lock):
        lock.write_text("another-machine 1")  # so that only its touches speak for it
        for _ in range(4):
            with watching.claim(lock) as theirs:
                assert not theirs
            time.sleep(0.06)
