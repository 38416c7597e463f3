"""What smaller images leave open of each frequency, by which lost detail is told."""

from __future__ import annotations

import pytest
import torch

from invscore import GaussianNoise, InverseProblem
from invscore.methods.matched_spectrum.lost_detail import LostDetail, hidden_by_decimation
from invscore.operators import SuperResolution
from invscore.operators.cosines import cosine_basis
from invscore.priors.detail import COUNT, DetailBands, DetailLaw
from invscore.rng import SampleRNG

F64 = torch.float64


FALLING = torch.tensor([4.0**k for k in range(COUNT)], dtype=F64)
"""Power of bands, the finest first."""


@pytest.mark.parametrize(
    ("shape", "factor"), [((1, 16, 16), 2), ((1, 16, 24), 4), ((1, 15, 16), (3, 2))]
)
@pytest.mark.parametrize("noise", [0.003, 0.3])
def test_the_share_is_that_of_a_field_of_cosines(
    shape: tuple[int, ...], factor: int | tuple[int, int], noise: float
) -> None:
    """Its posterior by dense matrices; waves are told as the cosines of their frequencies."""
    operator = SuperResolution(factor, shape)
    height, width = shape[-2:]
    bands = DetailBands(torch.zeros(1, *shape, dtype=F64))
    power = 1e-3 * FALLING
    down, along = (torch.arange(n, dtype=F64) / (2 * n) for n in (height, width))
    prior = bands.density(power, torch.hypot(down[:, None], along)).flatten()
    basis = [cosine_basis(n) for n in (height, width)]
    waves = torch.einsum("iy,jx->ijyx", *basis).reshape(-1, *shape)
    a = operator.matvec(waves).flatten(1).T
    gain = torch.linalg.solve(a * prior @ a.T + noise**2 * torch.eye(len(a), dtype=F64), a * prior)
    told = (prior[:, None] * a.T * gain.T).sum(1)
    share = 1 - (told / prior.clamp_min(1e-30)).reshape(height, width)
    found = hidden_by_decimation(operator, bands, power, torch.tensor([noise**2], dtype=F64))
    for row in range(height):
        for column in range(1 if row == 0 else 0, width // 2 + 1):
            of_row = min(2 * min(row, height - row), height - 1)
            of_column = min(2 * column, width - 1)
            expected = share[of_row, of_column]
            assert float(found[0, 0, row, column]) == pytest.approx(float(expected), abs=2e-6)


def test_little_noise_does_not_tell_fine_detail() -> None:
    """What decimation takes for one another stays open, however precise y is."""
    shape = (1, 64, 64)
    bands = DetailBands(torch.zeros(1, *shape, dtype=F64))
    power = bands.numbers / 64**2
    law = DetailLaw(power.log(), torch.zeros(COUNT, COUNT, dtype=F64), power)
    clean, given = torch.zeros(16, *shape, dtype=F64), []
    for noise in (1e-1, 1e-4):
        operator = SuperResolution(4, shape)
        problem = InverseProblem(operator, operator.matvec(clean), GaussianNoise(noise))
        extra = LostDetail(problem, law, clean[:1])(clean, SampleRNG([(k,) for k in range(16)]))
        spectrum = torch.fft.rfft2(extra)
        found = [float(bands.power(bands.energy(spectrum), k).mean()) for k in range(COUNT)]
        given.append(torch.tensor(found, dtype=F64)[:2])
    torch.testing.assert_close(given[0], given[1], rtol=0.1, atol=0.0)
