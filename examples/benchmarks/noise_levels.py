"""How near the estimates of the noise come that `--noise auto` makes of a measurement.

    python examples/benchmarks/noise_levels.py [--prior PRIOR] [--size 128] [--others] [TASK ...]

The held-out images of a prior, or with ``--others`` photographs of scikit-image that are not among
them (textures, text, a cell, a retina, small pictures with sharp edges: also such as the prior is
not made for), are measured with noise of 0.01, 0.03 and 0.1. Prints the estimate over the truth for
each image; then, by task and level, the least, the median and the largest, and how many are within
15 per cent.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from statistics import median

from torch import Tensor

from invscore import GaussianNoise, Prior, load_prior, simulate
from invscore.bench.held_out import COLLECTIONS, choose_collection, gray_photograph, photograph
from invscore.estimation.noise_level import estimate_noise
from invscore.operators import MRI, Blur, Identity, Inpainting, LinearOperator, SuperResolution

NOISE = (0.01, 0.03, 0.1)
OTHERS = ("brick", "cell", "clock", "grass", "immunohistochemistry", "moon", "page", "retina")

Shape = tuple[int, ...]
TASKS: dict[str, Callable[[Shape, bool], LinearOperator]] = {
    "deblur": lambda shape, _: Blur.gaussian(1.6, shape),
    "valid": lambda shape, _: Blur.gaussian(1.6, shape, boundary="valid"),
    "motion": lambda shape, _: Blur.motion(15, 30, shape, boundary="valid"),
    "mild": lambda shape, _: Blur.gaussian(0.7, shape, boundary="valid"),
    "inpaint": lambda shape, _: Inpainting.random(shape, keep=0.3),
    "superres": lambda shape, _: SuperResolution(2, shape),
    "box4": lambda shape, _: SuperResolution(4, shape, kernel="box"),
    "denoise": lambda shape, _: Identity(shape),
    "mri": lambda shape, real: MRI.random(shape, real=real),
}


def images(prior: Prior, size: int, *, others: bool) -> dict[str, Tensor]:
    """The images by name, (c, size, size)."""
    name = choose_collection(prior.channels, complex_valued=prior.complex)
    if not others:
        collection = COLLECTIONS[name]
        return {one: collection.load(one, size) for one in collection.names}
    load = gray_photograph if name == "gray" else photograph
    found = {one: load(one, size) for one in OTHERS}
    return {one: image for one, image in found.items() if len(image) == prior.channels}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--prior", default="photos-gray")
    parser.add_argument("--size", type=int, default=128, help="pixels along a side")
    parser.add_argument("--others", action="store_true", help="images unlike the prior's")
    parser.add_argument("tasks", metavar="TASK", nargs="*", help=f"of {', '.join(TASKS)}")
    asked = parser.parse_args()
    prior = load_prior(asked.prior)
    truths = images(prior, asked.size, others=asked.others)
    rows = []
    for task in asked.tasks or TASKS:
        for level in NOISE:
            ratios = []
            for seed, (name, truth) in enumerate(truths.items()):
                operator = TASKS[task](tuple(truth.shape), not prior.complex)
                y = simulate(operator, truth[None], GaussianNoise(level), seed)
                ratios.append(float(estimate_noise(operator, y, prior)) / level)
                print(f"{task:9s}{level:6g}  {name:22s}{ratios[-1]:6.2f}", flush=True)
            rows.append((task, level, ratios))
    print(f"\n{'task':9s}{'noise':>6s}{'least':>8s}{'median':>8s}{'most':>8s}{'within 15 %':>13s}")
    for task, level, ratios in rows:
        inside = sum(abs(ratio - 1) <= 0.15 for ratio in ratios)
        print(
            f"{task:9s}{level:6g}{min(ratios):8.2f}{median(ratios):8.2f}{max(ratios):8.2f}"
            f"{inside:8d} of {len(ratios)}"
        )


if __name__ == "__main__":
    main()
