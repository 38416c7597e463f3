"""Every command that takes a prior: what is in its file never runs, and one sentence refuses it."""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import Run
from hostile import hostile_files

from invscore.images import crop_and_shrink, load_image, save_image

SECONDS, MEGABYTES = 5.0, 500
"""Of the processor for one refusal, and of memory for all of them."""

BENCH = """
prior: {prior}
images: photos
size: 16
tasks: [{{name: blur, op: deblur, noise: 0.05}}]
methods: [{{name: diffpir, samples: 2, options: {{steps: 2}}}}]
"""
RECIPE = """
name: mine
out: run
network: {widths: [4], blocks: 1, embedding: 8}
data: {folder: photos, crop: 8, longest_side: [16, 16]}
optimiser: {steps: 1, batch: 1, learning_rate: 0.001}
samples: {count: 0}
"""
COMMANDS = {
    "reconstruct": "reconstruct --op deblur --image photos/train/a.png --prior {file}",
    "sample": "sample --prior {file} --out drawn",
    "guide": "sample --prior {tiny} --guide {file} --out drawn",
    "likelihood": "likelihood --prior {file} photos/train/a.png",
    "calibrate": "calibrate --op deblur --noise 0.1 --images photos/train --prior {file} --out new",
    "check": "priors check {file}",
    "import": "priors import {file} --out new.safetensors",
    "denoising": "bench denoising --prior {file}",
    "imaging": "bench imaging --config bench.yaml --out bench",
    "intervals": "bench calibrate --config bench.yaml --images photos/train --crops 12 --work w "
    "--out found",
    "tune": "tune --config bench.yaml --images photos/train --out tuned.yaml",
    "train": "train recipe.yaml",
    "resume": "train recipe.yaml",
}


@pytest.fixture(scope="module")
def touched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What appears if anything in a file runs."""
    return tmp_path_factory.mktemp("touched") / "ran"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory, touched: Path) -> dict[str, Path]:
    return hostile_files(tmp_path_factory.mktemp("hostile"), touched)


@pytest.fixture(autouse=True)
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    for kind in ("train", "val"):
        save_image(f"photos/{kind}/a.png", crop_and_shrink(load_image("camera"), 16))
    before = set(tmp_path.rglob("*"))
    yield
    made = {path.name for path in set(tmp_path.rglob("*")) - before}
    assert made <= {"bench.yaml", "recipe.yaml", "run", "state.safetensors"}, made


def written(command: str, file: Path, tiny: str) -> str:
    """The command line, once the configuration that names ``file`` is there."""
    Path("bench.yaml").write_text(BENCH.format(prior=file))
    Path("recipe.yaml").write_text(RECIPE)
    if command == "train":
        Path("recipe.yaml").write_text(f"{RECIPE}init: {file}\n")
    if command == "resume":
        Path("run").mkdir(exist_ok=True)
        state = Path("run/state.safetensors")
        state.unlink(missing_ok=True)
        state.symlink_to(file)
    return COMMANDS[command].format(file=file, tiny=tiny)


@pytest.mark.parametrize("command", COMMANDS)
def test_nothing_runs(
    command: str, invscore: Run, files: dict[str, Path], touched: Path, prior: str
) -> None:
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for kind, file in files.items():
        began = time.process_time()
        found = invscore(*written(command, file, prior).split())
        assert found.exit_code == 2, f"{kind}: {found.output}"
        told = [line for line in found.stderr.splitlines() if "error" in line]
        assert len(told) == 1, f"{kind}: {found.output}"
        assert "Traceback" not in found.output
        assert "unexpected" not in found.output, f"{kind}: {found.output}"
        assert time.process_time() - began < SECONDS, kind
        assert not touched.exists(), kind
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory
    assert grown / 1024 < MEGABYTES
