"""The gallery: real jobs from files in the formats of their instruments, beside a plain baseline.

python examples/gallery [--pictures DIR] [--keep DIR] [JOB ...]

Prints for each job the PSNR of the mean and of the field's plain baseline, the margin between them,
and the share of the truth that lies within the samples' 90 % intervals. A job is a file of this
folder; CONTRIBUTING.md says what is in it.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from running import jobs, run, save_pictures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("jobs", nargs="*", metavar="JOB", help=", ".join(jobs()))
    parser.add_argument("--pictures", type=Path, metavar="DIR", help="write a picture of each job")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep files and results there")
    given = parser.parse_args()
    unknown = [name for name in given.jobs if name not in jobs()]
    if unknown:
        parser.error(f"JOB must be one of {', '.join(jobs())}, got {unknown[0]!r}")
    print(
        "| job | baseline | baseline, dB | invscore, dB | margin, dB | in 90 % intervals | time |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for name in given.jobs or jobs():
        with tempfile.TemporaryDirectory() as temporary:
            folder = (given.keep or Path(temporary)) / name
            folder.mkdir(parents=True, exist_ok=True)
            outcome = run(name, folder)
        print(outcome.row(), flush=True)
        if given.pictures is not None:
            given.pictures.mkdir(parents=True, exist_ok=True)
            save_pictures(outcome, given.pictures / f"{name}.jpg")


if __name__ == "__main__":
    main()
