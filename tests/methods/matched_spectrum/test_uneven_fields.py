"""Matched spectra of complex images, whose field is uneven: next to nothing outside an object."""

from __future__ import annotations

import torch
from torch import Tensor

from invscore import GaussianNoise, InverseProblem, load_prior, reconstruct, simulate
from invscore.operators import MRI


def slice_of_a_phantom(size: int) -> Tensor:
    """An ellipse with a rim, a dark middle, a bright spot and a smooth phase: (1, 1, h, w)."""
    along = torch.linspace(-1, 1, size)
    y, x = torch.meshgrid(along, along, indexing="ij")
    radius = (x / 0.75) ** 2 + (y / 0.9) ** 2
    middle = (x / 0.2) ** 2 + ((y - 0.1) / 0.35) ** 2 < 1
    spot = torch.exp(-((x - 0.3) ** 2 + (y + 0.3) ** 2) / 0.02)
    image = 0.5 * (radius < 1) + 0.25 * (radius < 0.8) - 0.3 * middle + 0.15 * spot
    return (image * torch.exp(0.6j * (x + 0.5 * y)))[None, None].to(torch.complex64)


def test_little_noise_leaves_no_ghosts() -> None:
    """Conjugate gradients follow how precise y is taken to be: where not, 6 dB remain."""
    truth = slice_of_a_phantom(64)
    operator, noise = MRI.random((1, 64, 64), acceleration=4, seed=0), GaussianNoise(0.003)
    problem = InverseProblem(operator, simulate(operator, truth, noise, 0), noise)

    def psnr(x: Tensor) -> float:
        return -10 * float((x - truth).abs().square().mean().log10())

    assert 19 < psnr(operator.rmatvec(problem.y)) < 21
    found = reconstruct(problem, load_prior("brain-mri"), samples=2, seed=0)
    assert found.method == "matched_spectrum"
    assert psnr(found.mean) > 29
