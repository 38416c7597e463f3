"""Runs a case in a process of its own, forked from one that has torch, and judges what is left."""

from __future__ import annotations

import os
import re
import resource
import signal
import sys
import time
import traceback
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.fuzz.cases import Case

PATIENCE = 40.0
"""Seconds for a case of 16 x 16 pixels and two steps."""

SLOW = {"bench denoising": 300.0}
"""The same where BM3D denoises 256 x 256 pixels three times."""

MEMORY = 3 * 2**30
"""Bytes that a case may have in memory."""

ADDRESSES = 6 * 2**30
"""Bytes of address space beyond those of the process that is forked."""

DISK = 2**30
RESUMABLE = {"train": ("run",), "bench imaging": ("bench",), "tune": ("tuned.journal",)}
RESUMABLE |= {"bench calibrate": ("work", "found"), "bench posterior": ("posterior",)}
"""What an unfinished run of a command may leave: it goes on from there."""

NOT_FOR_USERS = re.compile(
    r"Traceback|unexpected|allow_pickle|Input should be|pydantic|NoneType|has no attribute"
    r"|unexpected keyword|positional argument|not subscriptable|not iterable|RuntimeError"
    r"|torch\.(?!save)|size mismatch|recursion|errno|object is not|\bdict\b|\bstr\b|cuda error"
    r"|weights_only|Value error|literal_error|codec can't|object of type",
    re.IGNORECASE,
)


@dataclass
class Outcome:
    """What became of a case: exit status, output, and what is wrong with it."""

    case: Case
    status: int
    seconds: float
    memory: int
    out: str
    err: str
    faults: list[str] = field(default_factory=list)


def run(case: Case, folder: Path, logs: Path) -> Outcome:
    """Run ``case`` in ``folder``, laid out anew for it."""
    for name, content in case.files.items():
        (folder / name).write_bytes(content)
    before = tree(folder.parent)
    if case.stop is not None and case.stop[0] == signal.SIGKILL:
        # Nobody can put things in order then: the next run has to.
        run_once(case, folder, logs)
        case = replace(case, stop=None)
    outcome = run_once(case, folder, logs)
    judge(outcome, before, tree(folder.parent))
    return outcome


def run_once(case: Case, folder: Path, logs: Path) -> Outcome:
    """Run ``case`` in ``folder`` as that is."""
    out, err = logs / "out", logs / "err"
    began = time.monotonic()
    child = os.fork()
    if child == 0:
        _child(case, folder, out, err)
    patience = SLOW.get(case.command, PATIENCE)
    status, memory, hangs = _wait(child, began, patience, case.stop)
    outcome = Outcome(
        case,
        status,
        time.monotonic() - began,
        memory,
        out.read_text(encoding="utf-8", errors="replace"),
        err.read_text(encoding="utf-8", errors="replace"),
    )
    if hangs:
        outcome.faults.append(f"hangs for more than {patience:.0f} s")
    return outcome


VERDICTS = {"check", "priors check", "priors import"}
"""Commands whose status is 1 where what was asked about is not what it should be."""


def judge(outcome: Outcome, before: dict[str, object], after: dict[str, object]) -> None:
    case, said = outcome.case, outcome.err + outcome.out
    allowed = (0, 1, 2) if case.command in VERDICTS else (0, 2)
    if re.search(r"interrupts\.py|ops\.py:interrupts", " ".join(case.arguments)):
        allowed = (*allowed, 130)  # Ctrl-C is all that it can be told from
    if case.stop is not None:  # or before anything had begun
        allowed = (*allowed, 128 + case.stop[0], -case.stop[0])
    if outcome.status not in allowed:
        outcome.faults.append(f"status {outcome.status}")
    told = outcome.err if outcome.status else outcome.err + outcome.out
    if "ops.py, line" not in said and (found := NOT_FOR_USERS.search(told)):
        outcome.faults.append(f"says {found[0]!r}")
    elif "Traceback" in said or "unexpected " in said:
        outcome.faults.append("traceback or unexpected")
    if outcome.status == 2 and not outcome.err.strip():
        outcome.faults.append("status 2 without a word")
    if outcome.memory > MEMORY:
        outcome.faults.append(f"takes {outcome.memory / 2**30:.1f} GB")
    new = {name for name in after if name not in before or before[name] != after[name]}
    gone = set(before) - set(after)
    if any(name.endswith("pickle-has-run") for name in new):
        outcome.faults.append("runs what is in a pickle")
    if halves := [name for name in new if "partial" in name]:
        outcome.faults.append(f"leaves {halves[0]}")
    if gone:
        outcome.faults.append(f"removes {sorted(gone)[0]}")
    kept = RESUMABLE.get(case.command, ())
    left = sorted(
        name for name in new if name.split("/")[-1] != "__pycache__" and ".pyc" not in name
    )
    if outcome.status not in (0, 1) and not kept and left:
        outcome.faults.append(f"fails and leaves {left[0]}")
    help_page = {"-h", "--help", "--version"} & set(case.arguments)
    writes = case.command in {"reconstruct", "calibrate", "sample", "train", "tune"}
    if outcome.status == 0 and writes and not left and not help_page:
        outcome.faults.append("status 0 and nothing is written")


def tree(folder: Path) -> dict[str, object]:
    """Every path below ``folder`` with the time and size of its content."""
    found: dict[str, object] = {}
    for root, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = Path(root, name)
            status = path.lstat()
            content = (status.st_mtime_ns, status.st_size) if name in files else ()
            found[str(path.relative_to(folder))] = content
    return found


def _wait(
    child: int, began: float, patience: float, stop: tuple[int, float] | None
) -> tuple[int, int, bool]:
    """Exit status, largest memory in bytes, and whether it had to be killed."""
    hangs = False
    while True:
        done, status, usage = os.wait4(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status), usage.ru_maxrss * 1024, hangs
        if stop is not None and time.monotonic() - began > stop[1]:
            os.kill(child, stop[0])
            stop = None
        if not hangs and time.monotonic() - began > patience:
            hangs = True
            os.killpg(child, signal.SIGKILL)
        time.sleep(0.01)


def _child(case: Case, folder: Path, out: Path, err: Path) -> None:
    status = 99
    try:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        os.setsid()
        os.chdir(folder)
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        for number, target in ((1, out), (2, err)):
            os.dup2(os.open(target, flags), number)
        os.dup2(os.open("/dev/null", os.O_RDONLY), 0)
        here = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (here + ADDRESSES, here + ADDRESSES))
        resource.setrlimit(resource.RLIMIT_FSIZE, (DISK, DISK))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        sys.argv = ["invscore", *case.arguments]
        from invscore.__main__ import main

        main()
        status = 0
    except SystemExit as leaving:
        status = leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
    except BaseException:
        traceback.print_exc()
        status = 98
    finally:
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            os._exit(status)
