"""How many arrays as large as an image the default holds at once: what bounds its memory."""

from __future__ import annotations

import gc
from collections.abc import Callable

import pytest
import torch
from holding import Holding
from torch import Tensor

from invscore import GaussianNoise, InverseProblem, reconstruct, simulate
from invscore.batches import PerImage
from invscore.methods.gaussian_field import frequency_bands, operator_power, waves
from invscore.operators import (
    Blur,
    Inpainting,
    LinearOperator,
    SuperResolution,
    constant,
    cosines,
    fourier,
)
from invscore.priors import Prior, detail
from invscore.uncertainty import excerpt, kernel, spectrum

SHAPE = (1, 128, 128)
BYTES = 4 * 128 * 128
OPERATORS: dict[str, Callable[[], LinearOperator]] = {
    "blur": lambda: Blur.gaussian(1.6, SHAPE),
    "valid": lambda: Blur.gaussian(1.6, SHAPE, boundary="valid"),
    "reflect": lambda: Blur.gaussian(1.6, SHAPE, boundary="reflect"),
    "mask": lambda: Inpainting.random(SHAPE, keep=0.3),
    "superres": lambda: SuperResolution(4, SHAPE),
}
MOST = 18.5
"""Of the images' size: at 4096 x 4096 pixels 1.2 GB, beside 0.65 GB of libraries."""
MORE = {"reflect": 0.3}
"""What is passed of each cosine is held too."""


class Shrinking(Prior):
    """White images: a denoiser that needs no memory of its own."""

    mean, variance, peak = 0.5, 0.06, 1.0
    sigma_min, sigma_max, symmetric = 0.002, 20.0, True

    def denoise(self, x: Tensor, sigma: PerImage) -> Tensor:
        return torch.lerp(x, torch.full_like(x[:, :, :1], 0.5), 0.3 * float(sigma) / 2)


@pytest.fixture(autouse=True)
def large_images_are_small(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is held in pieces of a million numbers is so here, and nothing is remembered."""
    for room in (frequency_bands, operator_power, waves, detail):
        monkeypatch.setattr(room, "SMALL", 1000)
    monkeypatch.setattr(constant, "LARGE", 1000)
    monkeypatch.setattr(cosines, "DENSE", 32)
    monkeypatch.setattr(cosines, "SLAB", 256)
    monkeypatch.setattr(fourier, "LARGE", 1000)
    monkeypatch.setattr(frequency_bands, "LARGE", 1000)
    monkeypatch.setattr(excerpt, "LARGEST", 32)
    monkeypatch.setattr(spectrum, "TOGETHER", 100)
    monkeypatch.setattr(kernel, "LARGEST", 32)


@pytest.mark.parametrize("kind", OPERATORS)
def test_the_default_holds_few_images(kind: str) -> None:
    gc.collect()
    with Holding() as holding:
        operator, noise = OPERATORS[kind](), GaussianNoise(0.01)
        truth = torch.rand(1, *SHAPE)
        problem = InverseProblem(operator, simulate(operator, truth, noise, 0), noise)
        reconstruct(problem, Shrinking(), steps=3, samples=2, batch_size=1)
    held = holding.most / BYTES
    most = MOST + MORE.get(kind, 0) + 2  # and two samples
    assert held < most, f"{held:.1f} images:\n{''.join(holding.where)}"


def test_samples_are_held_once() -> None:
    """Another costs what it is, and not what is needed to draw it."""
    operator, noise = OPERATORS["blur"](), GaussianNoise(0.01)
    problem = InverseProblem(operator, torch.rand(1, *SHAPE), noise)
    most = []
    for samples in (1, 4):
        gc.collect()
        with Holding() as holding:
            reconstruct(problem, Shrinking(), steps=2, samples=samples, batch_size=1)
        most.append(holding.most / BYTES)
    assert most[1] - most[0] < 4.5


def test_what_is_held_is_seen() -> None:
    with Holding() as holding:
        x = torch.zeros(1000)
        y = x + 1
        del x
        x = y[:10] * 2
        del y
    assert holding.most == 8000
    assert holding.now == x.untyped_storage().nbytes() == 40
    assert any("test_arrays_held" in line for line in holding.where)
