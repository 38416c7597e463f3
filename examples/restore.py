"""Restore a blurred photograph from Python: samples, their mean and where they disagree.

python examples/restore.py [FIGURE.png]
"""

from __future__ import annotations

import argparse

from invscore import GaussianNoise, InverseProblem, load_prior, reconstruct, simulate
from invscore.figures import panel
from invscore.images import crop_and_shrink, load_image
from invscore.metrics import psnr
from invscore.operators import Blur


def main(figure: str) -> None:
    truth = crop_and_shrink(load_image("coins"), 96)[None]  # (1, 1, 96, 96) in [0, 1]
    operator = Blur.gaussian(sigma=1.6, in_shape=(1, 96, 96))
    noise = GaussianNoise(0.01)
    y = simulate(operator, truth, noise, 0)

    problem = InverseProblem(operator, y, noise)
    result = reconstruct(problem, load_prior("photos-gray"), samples=4, seed=0)

    for name, image in {
        "measurement": y,
        "one sample": result.samples[0],
        "mean": result.mean,
    }.items():
        print(f"{name:12s} {psnr(image, truth).item():.2f} dB")
    images = {"measurement": y[0], "mean": result.mean[0], "truth": truth[0]}
    panel(images, figure, deviation=result.std[0])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("figure", nargs="?", default="restore.png")
    given = parser.parse_args()
    main(given.figure)
