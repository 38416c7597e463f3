"""Large images by the command line: seconds and memory, as they grow with the number of pixels.

    python examples/benchmarks/large.py [--sizes 1024,2048,4096] [--prior tiny] [--steps 3]
    python examples/benchmarks/large.py --sizes 128,256 --tasks deblur --steps 1

A photograph of SIZE x SIZE pixels, a sample of scikit-image and its mirror images side by side, is
measured and restored by ``invscore reconstruct --samples 1 --memory 2GB``, one process of one
thread for each task and size. ``tiny`` is an untrained network of two resolutions, with which time
and memory are those of everything else; any other prior is named as for ``--prior``.

Prints seconds of processor time a megapixel, those of a picture of 64 x 64 pixels taken off (the
start of the process, and what is done once), and the peak of memory of the whole process.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch

from invscore.images import load_image, save_image
from invscore.networks import build_network
from invscore.priors import NetworkPrior

TASKS = {
    "deblur": "deblur(sigma=1.6)",
    "inpaint": "inpaint(keep=0.3)",
    "superres": "superres(factor=4)",
    "mirrored": "deblur(sigma=1.6,boundary=reflect)",
    "valid": "deblur(sigma=1.6,boundary=valid)",
}
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
SMALLEST = 64


def make_image(file: Path, size: int) -> None:
    """A photograph, mirrored at its edges until it is ``size`` pixels wide."""
    pixels = load_image("camera")
    for axis in (-2, -1):
        while pixels.shape[axis] < size:
            pixels = torch.cat([pixels, pixels.flip(axis)], axis)
    save_image(file, pixels[:, :size, :size])


def tiny(file: Path) -> None:
    """An untrained network, always the same."""
    torch.manual_seed(0)
    made_by: dict[str, Any] = {"name": "unet", "channels": 1, "widths": [8, 16], "blocks": 1}
    NetworkPrior(build_network(**made_by), channels=1, metadata={"architecture": made_by}).save(
        file
    )


def run(task: str, image: Path, out: Path, options: list[str]) -> tuple[float, float]:
    """Seconds of processor time, and the peak of memory in GB, of the whole command."""
    line = [sys.executable, "-m", "invscore", "reconstruct", "--op", TASKS[task]]
    line += ["--image", str(image), "--out", str(out), "--samples", "1", "--device", "cpu"]
    process = subprocess.Popen(
        [*line, *options], env={**os.environ, **ONE_THREAD}, stdout=subprocess.DEVNULL
    )
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(line)} ended with {process.returncode}")
    return used.ru_utime + used.ru_stime, 1024 * used.ru_maxrss / 1e9


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sizes", default="1024,2048,4096", help="pixels of a side")
    parser.add_argument("--tasks", default="deblur,inpaint,superres", help=", ".join(TASKS))
    parser.add_argument("--prior", default="tiny")
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--memory", default="2GB")
    asked = parser.parse_args()
    sizes = [int(size) for size in asked.sizes.split(",")]
    with tempfile.TemporaryDirectory() as place:
        folder, prior = Path(place), asked.prior
        if prior == "tiny":
            prior = str(folder / "tiny.safetensors")
            tiny(Path(prior))
        for size in (SMALLEST, *sizes):
            make_image(folder / f"{size}.png", size)
        options = ["--prior", prior, "--steps", str(asked.steps), "--memory", asked.memory]
        print("| task | pixels | s a megapixel | beside the smallest | GB in all |")
        print("| --- | ---: | ---: | ---: | ---: |")
        for task in asked.tasks.split(","):
            first = None
            start, _ = run(task, folder / f"{SMALLEST}.png", folder / "out", options)
            for size in sizes:
                seconds, memory = run(task, folder / f"{size}.png", folder / "out", options)
                each = 1e6 * (seconds - start) / (size**2 - SMALLEST**2)
                first = each if first is None else first
                row = f"| {task} | {size} x {size} | {each:.2f} | {each / first:.2f} |"
                print(f"{row} {memory:.2f} |", flush=True)


if __name__ == "__main__":
    main()
