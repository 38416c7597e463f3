"""Which method restores best for its cost.

    python examples/benchmarks/methods.py data/photos/val [METHOD ...]

Crops of the validation photographs (never of the held-out images) are restored from five kinds of
measurement by each method. Prints PSNR in dB of the mean of four samples (of the one estimate of a
point estimate), the share of pixels in the samples' 90 % intervals, evaluations and seconds for a
sample. Steps are the defaults, cut at 100 where those are more.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from invscore import GaussianNoise, InverseProblem, load_prior, reconstruct, simulate
from invscore.images import crop_and_shrink, load_image, to_gray
from invscore.methods import METHODS
from invscore.metrics import coverage, psnr
from invscore.operators import MRI, Blur, Inpainting, LinearOperator, SuperResolution

SHAPE = (1, 64, 64)
SHRUNK = 300
"""Pixels of a photograph's shorter side, of which the middle is cropped."""
LONGEST, SAMPLES = 100, 4
NOISE = 0.01
TASKS: dict[str, LinearOperator] = {
    "deblur": Blur.gaussian(1.6, SHAPE),
    "motion": Blur.motion(15, 30, SHAPE),
    "inpaint": Inpainting.random(SHAPE, keep=0.3),
    "superres": SuperResolution(2, SHAPE),
    "mri": MRI.random(SHAPE, real=True),
}


def crops(folder: Path) -> Tensor:
    edge = (SHRUNK - SHAPE[-1]) // 2
    middle = slice(edge, edge + SHAPE[-1])
    photos = [to_gray(crop_and_shrink(load_image(f), SHRUNK)) for f in sorted(folder.iterdir())]
    return torch.stack([photo[:, middle, middle] for photo in photos])


def main(folder: Path, methods: list[str]) -> None:
    truth, prior = crops(folder), load_prior("photos-gray")
    print(
        "method    "
        + "".join(f"{task:>10s}" for task in TASKS)
        + "      mean  inside   evals   seconds"
    )
    for method in methods:
        info = METHODS[method]
        own = info.defaults["steps"]
        few: dict[str, Any] = {"steps": LONGEST} if own is not None and own > LONGEST else {}
        samples = 1 if info.point_estimate else SAMPLES
        scores, inside, seconds = [], [], 0.0
        for operator in TASKS.values():
            noise = GaussianNoise(NOISE)
            problem = InverseProblem(operator, simulate(operator, truth, noise, 1), noise)
            result = reconstruct(problem, prior, method=method, samples=samples, **few)
            scores.append(psnr(result.mean, truth).mean().item())
            seconds += result.seconds / samples / len(TASKS)
            if samples > 1:
                inside.append(coverage(result.interval(0.9), truth).mean().item())
        columns = "".join(f"{score:10.2f}" for score in [*scores, sum(scores) / len(scores)])
        share = f"{sum(inside) / len(inside):8.2f}" if inside else "       -"
        print(f"{method:10s}{columns}{share}{result.evaluations:8.0f}{seconds:10.1f}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="the validation photographs")
    parser.add_argument(
        "method", nargs="*", choices=[*METHODS, "all"], default="all", metavar="METHOD"
    )
    given = parser.parse_args()
    main(given.folder, sorted(METHODS) if "all" in given.method else given.method)
