"""``python -m tests.fuzz --n 600``: as many hostile inputs; exit status 1 if any finds a fault."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from collections import Counter
from itertools import islice
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"
os.environ["COLUMNS"] = "100"
os.environ["NO_COLOR"] = "1"

import torch

from tests.fuzz import sandbox
from tests.fuzz.cases import cases
from tests.fuzz.runner import run

torch.set_num_threads(1)  # before any fork


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=600, help="cases")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int, help="this case alone, all that it says")
    parser.add_argument("--verbose", action="store_true", help="show every case")
    given = parser.parse_args()
    _preload()
    place = Path(tempfile.mkdtemp(prefix="invscore-fuzz-"))
    template, logs = place / "template", place / "logs"
    template.mkdir()
    logs.mkdir()
    here = Path.cwd()
    sandbox.lay_out(template)
    os.chdir(here)
    faults, kinds, statuses = 0, Counter[str](), Counter[int]()
    try:
        for number, case in enumerate(islice(cases(given.seed), given.n)):
            if given.only is not None and number != given.only:
                continue
            folder = place / "case" / "here"
            folder.parent.mkdir()
            sandbox.copy(template, folder)
            outcome = run(case, folder, logs)
            shutil.rmtree(folder.parent, ignore_errors=True)
            kinds[case.kind] += 1
            statuses[outcome.status] += 1
            faults += bool(outcome.faults)
            if outcome.faults or given.verbose or given.only is not None:
                print(f"{number}: {case}")
                print(f"   status {outcome.status}, {outcome.seconds:.1f} s: {outcome.faults}")
                limit = 10_000 if given.only is not None else 500
                for text in (outcome.err, outcome.out if given.only is not None else ""):
                    if text.strip():
                        print("   | " + text.strip()[-limit:].replace("\n", "\n   | "))
                sys.stdout.flush()
    finally:
        shutil.rmtree(place, ignore_errors=True)
    total = sum(kinds.values())
    print(f"{total} inputs: {', '.join(f'{n} {kind}' for kind, n in sorted(kinds.items()))}")
    print(f"exit status: {', '.join(f'{n} x {code}' for code, n in sorted(statuses.items()))}")
    print(f"{faults} with faults")
    sys.exit(bool(faults))


def _preload() -> None:
    """Import what commands import, so that each of the forked processes need not."""
    import invscore.bench.denoising
    import invscore.bench.imaging.results
    import invscore.bench.imaging.workers
    import invscore.bench.posterior
    import invscore.cli.album
    import invscore.cli.report
    import invscore.sampling
    import invscore.training.loop
    import invscore.tune.tuning_problem  # noqa: F401


if __name__ == "__main__":
    main()
