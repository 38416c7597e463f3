"""What stays when a command is stopped: nothing that is half done, and no traceback."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from invscore.__main__ import main
from invscore.cli import stopping
from invscore.files import check_writable

WRITES = """
import sys, time
from pathlib import Path
from invscore.cli import stopping
from invscore.files import atomic_file, atomic_folder

stopping.install()
try:
    out = Path("deep/results")
    with atomic_folder(out, names=["a"]) as folder, atomic_file(Path("f.txt")) as f:
        (folder / "a").write_text("half")
        f.write_text("half")
        print("ready", flush=True)
        time.sleep(60)
except KeyboardInterrupt as stop:
    if "slow" in sys.argv:
        try:
            print("ready", flush=True)
            time.sleep(60)
        except KeyboardInterrupt:
            sys.exit("a second signal is not for the program")
    sys.exit(stop.status)
"""
SWALLOWS = """
import time
from invscore.cli import stopping

class Ends:
    def __del__(self):
        print("ready", flush=True)
        time.sleep(60)

stopping.install()
ends = Ends()
del ends
"""


def heard() -> None:
    """Signals as a terminal has them: who runs the tests in the background ignores some."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        signal.signal(getattr(signal, name), signal.SIG_DFL)


def begin(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", *arguments],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=heard,
    )
    wait_for_word(process)
    return process


def wait_for_word(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_what_is_half_written_goes(tmp_path: Path, name: str) -> None:
    process = begin(tmp_path, WRITES)
    assert len(list(tmp_path.iterdir())) == 2
    process.send_signal(getattr(signal, name))
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) == (128 + getattr(signal, name), "", "")
    assert not list(tmp_path.iterdir())


def test_a_second_signal_ends_it_at_once(tmp_path: Path) -> None:
    process = begin(tmp_path, WRITES, "slow")
    process.send_signal(signal.SIGTERM)
    wait_for_word(process)
    process.send_signal(signal.SIGTERM)
    assert process.communicate(timeout=20) == ("", "invscore: terminated\n")
    assert process.returncode == 143


def test_a_signal_in_a_destructor_is_not_lost(tmp_path: Path) -> None:
    process = begin(tmp_path, SWALLOWS)
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=20) == ("", "invscore: interrupted\n")
    assert process.returncode == 130


def test_what_a_killed_process_left_goes_with_the_next(tmp_path: Path) -> None:
    killed, lives = begin(tmp_path, WRITES), begin(tmp_path, WRITES)
    killed.kill()
    killed.communicate()
    (tmp_path / ".theirs.1@elsewhere.partial").touch()
    assert len(list(tmp_path.iterdir())) == 5
    check_writable(tmp_path / "deep" / "other")
    left = {path.name for path in tmp_path.iterdir()}
    assert len(left) == 3, "those of the one that lives, and of another machine"
    assert not any(f".{killed.pid}@" in name for name in left)
    lives.kill()
    lives.communicate()


def test_signals_during_imports(tmp_path: Path) -> None:
    command = "import invscore.__main__ as m; print('ready', flush=True); m.main()"
    process = subprocess.Popen(
        [sys.executable, "-c", command, "methods"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_for_word(process)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=30)
    if process.returncode != -signal.SIGTERM:  # it came before the first line of main
        assert (process.returncode, out, err) == (143, "", "invscore: terminated\n")


@pytest.mark.parametrize(("told", "status"), [(130, 129), (0, 0), (129, 129)])
def test_whatever_the_parser_makes_of_a_signal(
    told: int,
    status: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """It catches what is raised before a command begins, and says 130 of every signal."""
    monkeypatch.setattr(stopping, "_came", [stopping.Stopped(signal.SIGHUP)])
    monkeypatch.setattr(stopping, "install", lambda: None)
    monkeypatch.setattr("invscore.cli.main.main", lambda: told)
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == status
    assert ("the terminal has closed" in capsys.readouterr().err) == (told == 130)
