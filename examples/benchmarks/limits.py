"""What the methods do at the ends: almost no noise, none at all, and more than the image has.

    python examples/benchmarks/limits.py [--prior PRIOR] [--tasks TASK,...] [METHOD ...]

A photograph of 32 x 32 pixels is measured with noise from 1e-2 to 1e-7, and with none. Prints the
PSNR in dB of the mean of four samples of each method (of the one estimate of a point estimate), in
single precision and with at most 100 steps; above, that of the best regularised pseudo-inverse:
Tikhonov's, in double precision, with the weight that is best for this very image. With ``--large``,
noise from 1 to 1e6, and the rms distance of a sample from the prior's mean, beside that of a draw
of the prior. PRIOR is one of `invscore priors`, or ``field``, a Gaussian field with the spectrum of
photographs, which has a density and costs nothing.
"""

from __future__ import annotations

import argparse
import math
from typing import Any

import torch
from torch import Tensor

from invscore import GaussianNoise, InverseProblem, Prior, load_prior, reconstruct, simulate
from invscore.images import crop_and_shrink, load_image
from invscore.methods import METHODS
from invscore.metrics import psnr
from invscore.operators import (
    MRI,
    Blur,
    CompressedSensing,
    Inpainting,
    LinearOperator,
    SuperResolution,
    Tomography,
    from_matrix,
)
from invscore.priors import StationaryGaussianPrior

SHAPE, LONGEST, SAMPLES = (1, 32, 32), 100, 4
SMALL = (1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 0.0)
LARGE = (1.0, 10.0, 1e3, 1e6)


def tasks() -> dict[str, LinearOperator]:
    generator = torch.Generator().manual_seed(0)
    matrix = torch.randn(512, 1024, generator=generator) / 32
    return {
        "deblur": Blur.gaussian(1.6, SHAPE),
        "reflect": Blur.gaussian(1.6, SHAPE, boundary="reflect"),
        "valid": Blur.gaussian(1.6, SHAPE, boundary="valid"),
        "motion": Blur.motion(7, 30, SHAPE, boundary="reflect"),
        "mild": Blur.gaussian(0.5, SHAPE),
        "inpaint": Inpainting.random(SHAPE, keep=0.3),
        "superres": SuperResolution(2, SHAPE),
        "mri": MRI.random(SHAPE, real=True),
        "ct": Tomography(60, SHAPE),
        "cs": CompressedSensing(SHAPE, ratio=0.5),
        "matrix": from_matrix(matrix, SHAPE),
    }


def best_pseudo_inverse(operator: LinearOperator, y: Tensor, truth: Tensor) -> float:
    """PSNR of ``(A^T A + rho I)^-1 A^T y`` for the best rho, in double precision."""
    wide = operator.to(dtype=torch.float64)
    eye = torch.eye(math.prod(SHAPE), dtype=torch.float64).reshape(-1, *SHAPE)
    columns, seen = (_numbers(value) for value in (wide.matvec(eye), y))
    u, s, vh = torch.linalg.svd(columns.T, full_matrices=False)
    scores = []
    for exponent in torch.arange(-20.0, 1.0, 0.5).tolist():
        gain = s / (s**2 + 10**exponent * s.max() ** 2)
        image = (vh.T @ (gain * (u.T @ seen[0]))).reshape(1, *SHAPE)
        scores.append(psnr(image, truth.double()).item())
    return max(scores)


def _numbers(y: Tensor) -> Tensor:
    return (torch.view_as_real(y) if y.is_complex() else y).flatten(1).double()


def figure(
    operator: LinearOperator, y: Tensor, level: float, truth: Tensor, prior: Prior, name: str
) -> float:
    """PSNR, or the distance from the prior's mean; NaN where the method does not serve."""
    own = METHODS[name].defaults["steps"]
    few: dict[str, Any] = {"steps": LONGEST} if own is not None and own > LONGEST else {}
    try:
        problem = InverseProblem(operator, y, GaussianNoise(level))
        samples = 1 if level >= 1 or METHODS[name].point_estimate else SAMPLES
        result = reconstruct(problem, prior, method=name, samples=samples, scale=1.0, **few)
    except (ValueError, RuntimeError):
        return math.nan
    if level >= 1:
        return float((result.mean - prior.mean).square().mean().sqrt())
    return psnr(result.mean, truth).item()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--prior", default="field")
    parser.add_argument("--tasks", default="deblur,inpaint,superres,mri")
    parser.add_argument("--large", action="store_true", help="noise of 1 and more")
    parser.add_argument("methods", nargs="*")
    asked = parser.parse_args()
    truth = crop_and_shrink(load_image("camera"), SHAPE[-1])[None]
    prior: Prior = (
        StationaryGaussianPrior.power_law(SHAPE, exponent=3.0, variance=1 / 16, mean=0.5)
        if asked.prior == "field"
        else load_prior(asked.prior)
    )
    noises = LARGE if asked.large else SMALL
    for task in asked.tasks.split(","):
        operator = tasks()[task]
        measured = []
        for level in noises:
            clean = operator.to(dtype=torch.float64)(truth.double())
            white = simulate(operator, torch.zeros_like(truth), GaussianNoise(1.0), 1)
            measured.append((clean + level * white).to(white.dtype))
        print(f"\n{task:17s}" + "".join(f"{level:9.0e}" for level in noises))
        if asked.large:
            print(f"{'prior':17s}" + f"{prior.variance**0.5:9.3f}" * len(noises))
        else:
            best = [best_pseudo_inverse(operator, y, truth) for y in measured]
            print(f"{'pseudo-inverse':17s}" + "".join(f"{score:9.1f}" for score in best))
        for name in asked.methods or sorted(METHODS):
            row = [
                figure(operator, y, level, truth, prior, name)
                for y, level in zip(measured, noises, strict=True)
            ]
            form = "9.3g" if asked.large else "9.1f"
            print(f"{name:17s}" + "".join(f"{value:{form}}" for value in row), flush=True)


if __name__ == "__main__":
    main()
