"""The comparison with BM3D: what is compared with what, and how it is averaged."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from invscore.batches import PerImage
from invscore.bench import bm3d
from invscore.bench.denoising import TASKS, DenoisingTask, means, run
from invscore.bench.held_out import COLLECTIONS
from invscore.metrics import psnr
from invscore.priors.base import Prior

SMALL = 32


class Shrinkage(Prior):
    """``x / (1 + sigma)``, whatever the images: a stand-in whose PSNR is easily recomputed."""

    mean, variance = 0.0, 1.0

    def denoise(self, x: Tensor, sigma: PerImage) -> Tensor:
        return x / (1 + sigma)


def disc(channels: int) -> Tensor:
    """A bright disc on black, each channel a little darker than the one before: (c, 32, 32)."""
    axis = torch.linspace(-1, 1, SMALL)
    inside = (axis[:, None] ** 2 + axis**2 < 0.5).float()
    return torch.stack([inside * (0.8 - 0.2 * c) for c in range(channels)])


def with_phase(image: Tensor) -> Tensor:
    return image * torch.exp(1j * torch.linspace(0, 2, SMALL))


KINDS = {"gray": disc(1), "colour": disc(3), "complex": with_phase(disc(1))}
BM3D = {
    "gray": bm3d.real,
    "colour": bm3d.real,
    "complex": bm3d.complex_valued,
}


def two_tries(noisy: Tensor, sigma: float) -> dict[str, Tensor]:
    """Quick where BM3D is slow; the first is the better one for a bright image."""
    return {"same": noisy, "dark": sigma * noisy}


def small(kind: str, reference: bm3d.Reference = two_tries) -> DenoisingTask:
    return DenoisingTask(("a", "b"), lambda name: KINDS[kind], (0.1,), 1, reference)


@pytest.mark.parametrize("kind", KINDS)
def test_bm3d_denoises_what_it_is_given(kind: str) -> None:
    (row,) = run(Shrinkage(), small(kind, BM3D[kind]), limit=1)
    assert row["psnr_bm3d"] > 24  # noise of 0.1 leaves 20 dB
    if kind == "complex":
        assert row["psnr_bm3d"] == max(row["psnr_bm3d_magnitude"], row["psnr_bm3d_parts"])


@pytest.mark.parametrize("kind", KINDS)
def test_the_prior_sees_noise_of_the_level(kind: str) -> None:
    seen = []

    class Watching(Shrinkage):
        def denoise(self, x: Tensor, sigma: PerImage) -> Tensor:
            seen.append((x, sigma))
            return super().denoise(x, sigma)

    rows = run(Watching(), small(kind))
    clean = KINDS[kind]
    for (noisy, sigma), row in zip(seen, rows, strict=True):
        assert sigma == 0.1
        noise = torch.view_as_real(noisy - clean) if clean.is_complex() else noisy - clean
        n = noise.numel()
        assert abs(noise.std().item() / 0.1 - 1) < 4 / math.sqrt(2 * n)
        assert row["psnr"] == pytest.approx(psnr(noisy / 1.1, clean[None]).item(), abs=1e-4)
    assert not torch.equal(seen[0][0], seen[1][0])


def test_the_better_try_counts() -> None:
    (row,) = run(Shrinkage(), small("gray"), limit=1)
    assert row["psnr_bm3d"] == row["psnr_bm3d_same"] > row["psnr_bm3d_dark"]


def test_means_have_standard_errors() -> None:
    rows = [
        {"sigma": 25, "psnr": 30.0 + a, "psnr_bm3d": 29.0 + b}
        for a, b in [(0.0, 0.5), (3.0, 2.0), (6.0, 6.5)]
    ]
    (row,) = means(rows)
    assert row["psnr"] == 33.0
    assert row["psnr_se"] == pytest.approx(3 / math.sqrt(3))
    gains = np.array([0.5, 2.0, 0.5])
    assert row["gain"] == pytest.approx(gains.mean())
    assert row["gain_se"] == pytest.approx(gains.std(ddof=1) / math.sqrt(3))
    (single,) = means(rows[:1])
    assert single["gain_se"] is None


def test_levels_are_of_255_for_photographs() -> None:
    assert TASKS["gray"].levels == TASKS["colour"].levels == (15, 25, 50)
    assert TASKS["gray"].noise(15) == "15/255"
    assert 0.05 in TASKS["brain"].levels
    assert TASKS["brain"].noise(0.05) == "0.05"


def test_the_images_are_held_out() -> None:
    for name, task in TASKS.items():
        assert task.images == COLLECTIONS[name].names
        if name != "brain":
            image = task.images[0]
            assert torch.equal(task.load(image), COLLECTIONS[name].load(image, 256))
