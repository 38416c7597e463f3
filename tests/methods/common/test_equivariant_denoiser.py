"""The equivariant denoiser: D at rotated and mirrored images."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from invscore import reconstruct
from invscore.batches import PerImage
from invscore.likelihood import GaussianNoise, InverseProblem
from invscore.methods.common.equivariant_denoiser import (
    OBLONG,
    SQUARE,
    EquivariantDenoiser,
    Symmetries,
)
from invscore.operators import Blur
from invscore.priors import StationaryGaussianPrior
from invscore.priors.base import Prior
from invscore.rng import SampleRNG

F64 = torch.float64


class Skewed(Prior):
    """Multiplies by weights that have no symmetry."""

    mean, variance, symmetric = 0.0, 1.0, True

    def __init__(self, height: int, width: int) -> None:
        generator = torch.Generator().manual_seed(3)
        self.weights = torch.rand(1, height, width, dtype=F64, generator=generator)
        self.asked: list[Tensor] = []

    def denoise(self, x: Tensor, sigma: PerImage) -> Tensor:
        self.asked.append(x)
        return self.weights * x / (1 + torch.as_tensor(sigma, dtype=F64).reshape(-1, 1, 1, 1))


def images(count: int, height: int, width: int) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(count, 1, height, width, dtype=F64, generator=generator)


def streams(*samples: int) -> SampleRNG:
    return SampleRNG([(sample,) for sample in samples])


def transformed(image: Tensor, symmetry: int) -> Tensor:
    quarters = torch.rot90(image, symmetry // 2, (-2, -1))
    return quarters.flip(-1) if symmetry % 2 else quarters


def transformed_back(image: Tensor, symmetry: int) -> Tensor:
    return torch.rot90(image.flip(-1) if symmetry % 2 else image, -(symmetry // 2), (-2, -1))


@pytest.mark.parametrize("size", [5, 65])
@pytest.mark.parametrize("chosen", [(k,) for k in SQUARE] + [SQUARE, (5, 2, 0), (3, 3), OBLONG])
def test_symmetries_are_turns_and_mirrorings_and_are_undone(
    chosen: tuple[int, ...], size: int
) -> None:
    batch = images(len(chosen), size, size - 1 if set(chosen) <= set(OBLONG) else size)
    symmetries = Symmetries(chosen, batch.device)
    seen = symmetries.of(batch)
    expected = [transformed(image, s) for image, s in zip(batch, chosen, strict=True)]
    assert torch.equal(seen, torch.stack(expected))
    assert torch.equal(symmetries.back(seen), batch)


@pytest.mark.parametrize(
    ("width", "symmetries"), [(6, SQUARE), (4, OBLONG)], ids=["square", "oblong"]
)
def test_every_symmetry_has_its_turn(width: int, symmetries: tuple[int, ...]) -> None:
    """The mean over as many calls as there are symmetries is that over the group."""
    prior, x = Skewed(6, width), images(3, 6, width)
    denoise = EquivariantDenoiser(prior, streams(0, 1, 5))
    level = torch.tensor([0.1, 0.2, 0.3], dtype=F64)
    found = torch.stack([denoise(x, level) for _ in symmetries]).mean(dim=0)
    weights = torch.stack(
        [transformed_back(prior.weights, symmetry) for symmetry in symmetries]
    ).mean(dim=0)
    torch.testing.assert_close(found, weights * x / (1 + level.reshape(-1, 1, 1, 1)))


def test_samples_are_seen_at_different_symmetries_at_a_time_in_any_company() -> None:
    prior, x = Skewed(6, 6), images(1, 6, 6).expand(8, 1, 6, 6)
    together = EquivariantDenoiser(prior, streams(*range(8)))(x, 0.1)
    assert len({tuple(asked.flatten().tolist()) for asked in prior.asked[0]}) == 8
    alone = [EquivariantDenoiser(prior, streams(k))(x[:1], 0.1) for k in range(8)]
    assert torch.equal(torch.cat(alone), together)


def test_a_prior_without_the_symmetry_is_asked_as_it_is() -> None:
    prior, x = Skewed(6, 6), images(2, 6, 6)
    prior.symmetric = False
    EquivariantDenoiser(prior, streams(1, 2))(x, 0.1)
    assert torch.equal(prior.asked[0], x)


@pytest.mark.parametrize("method", ["matched_spectrum", "hqs"])
def test_methods_evaluate_at_symmetries_and_an_even_prior_does_not_mind(method: str) -> None:
    """Of isotropic fields D is the same in every symmetry, and so is what is restored."""
    field = StationaryGaussianPrior.power_law((1, 8, 8), exponent=2.0, dtype=F64)
    even = restored(method, field, symmetric=True)
    torch.testing.assert_close(even, restored(method, field, symmetric=False))
    skewed = Skewed(8, 8)
    away = restored(method, skewed, symmetric=True) - restored(method, skewed, symmetric=False)
    assert away.abs().max() > 0.03


def restored(method: str, prior: Prior, symmetric: bool) -> Tensor:
    operator = Blur.gaussian(1.0, (1, 8, 8))
    problem = InverseProblem(operator, operator(images(1, 8, 8)), GaussianNoise(0.1))
    prior.symmetric = symmetric
    return reconstruct(problem, prior, method=method, samples=1 if method == "hqs" else 4).samples
