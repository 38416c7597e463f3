"""The manual's script for a Slurm cluster, with stand-ins for ``sbatch`` and ``scancel``."""

from __future__ import annotations

import csv
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from invscore.images import crop_and_shrink, load_image, save_image

PAGE = Path(__file__).parents[2] / "docs/many.md"
SBATCH = """#!/usr/bin/env bash
# Runs the job script at once, on this machine, as a process group of its own.
cp "${@: -1}" "$JOBS/$$.sh"
setsid nohup bash "$JOBS/$$.sh" > "$JOBS/$$.log" 2>&1 &
echo $! >> "$JOBS/numbers"
echo "Submitted batch job $!"
"""
SCANCEL = """#!/usr/bin/env bash
for job in "$@"; do kill -- -$job 2>/dev/null; done
exit 0
"""
INVSCORE = f"""#!/usr/bin/env bash
exec {sys.executable} -m invscore "$@"
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the loopback has another name")
def test_the_script_restores_a_folder(folder: Path, prior: str) -> None:
    pytest.importorskip("dask_jobqueue")
    found = re.search(r"```python\n(import subprocess, sys\n.*?)```", PAGE.read_text(), re.DOTALL)
    assert found is not None
    script = found[1].replace('interface="ib0"', 'interface="lo"').replace("jobs=100", "jobs=2")
    assert "jobs=2" in script
    assert '"lo"' in script
    (folder / "on_slurm.py").write_text(script)
    for name, text in (("sbatch", SBATCH), ("scancel", SCANCEL), ("invscore", INVSCORE)):
        (folder / "bin").mkdir(exist_ok=True)
        (folder / "bin" / name).write_text(text)
        (folder / "bin" / name).chmod(0o755)
    (folder / "jobs").mkdir()
    camera = crop_and_shrink(load_image("camera"), 64)
    for k in range(3):
        save_image(folder / f"photos/{k}.png", camera[:, k : k + 24, :24])
    options = ["--op", "deblur", "--prior", prior, "--steps", "1", "--samples", "1"]
    paths = [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")]
    done = subprocess.run(
        [sys.executable, "on_slurm.py", *options, "--image", "photos", "--out", "restored"],
        env={
            **os.environ,
            "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
            "PYTHONPATH": ":".join(filter(None, paths)),
            "JOBS": str(folder / "jobs"),
            "OMP_NUM_THREADS": "1",
        },
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    with (folder / "restored/index.csv").open(encoding="utf-8") as file:
        assert [row["status"] for row in csv.DictReader(file)] == ["done"] * 3
    jobs = (folder / "jobs/numbers").read_text().split()
    assert len(jobs) == 2
    assert "#SBATCH" in next((folder / "jobs").glob("*.sh")).read_text()
    until = time.monotonic() + 30  # they are cancelled at the end
    while running := [job for job in jobs if Path(f"/proc/{job}").exists()]:
        assert time.monotonic() < until, running
        time.sleep(0.1)
