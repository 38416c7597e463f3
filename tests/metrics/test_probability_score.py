"""CRPS against the closed form of a Gaussian law, its definition and what it promises."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from invscore.metrics import crps

F64 = torch.float64


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=F64)


def gaussian_crps(z: float, sigma: float) -> float:
    """Gneiting & Raftery 2007, Eq. 20 with the sign of a loss."""
    density = math.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)
    return sigma * (z * math.erf(z / math.sqrt(2)) + 2 * density - 1 / math.sqrt(math.pi))


@pytest.mark.parametrize("s", [2, 3, 9])
@pytest.mark.parametrize("z", [0.0, 0.7, -2.0])
def test_the_score_of_a_gaussian_law_for_any_number_of_samples(s: int, z: float) -> None:
    sigma, trials = 0.3, 40_000
    samples = 0.5 + sigma * normal(s, trials, 1, seed=s)
    found = crps(samples, torch.full((trials, 1), 0.5 + z * sigma, dtype=F64)).double()
    error = float(found.std()) / trials**0.5
    assert float(found.mean()) == pytest.approx(gaussian_crps(z, sigma), abs=4 * error)
    assert error < 0.01 * sigma


@pytest.mark.parametrize("s", [2, 5, 8])
def test_the_score_is_its_definition(s: int) -> None:
    samples, truth = normal(s, 2, 1, 3, 4), normal(2, 1, 3, 4, seed=1)
    to_truth = (samples - truth).abs().mean(dim=0)
    pairs = (samples[:, None] - samples[None]).abs().sum(dim=(0, 1)) / (2 * s * (s - 1))
    expected = (to_truth - pairs).flatten(1).mean(dim=1)
    torch.testing.assert_close(crps(samples, truth), expected.float())


def test_samples_that_agree_score_the_absolute_error() -> None:
    truth = torch.tensor([[0.0, 0.5], [1.0, 1.0]], dtype=F64)
    found = crps(torch.full((4, 2, 2), 0.25, dtype=F64), truth)
    assert found.tolist() == pytest.approx([0.25, 0.75])


def test_the_true_law_scores_best() -> None:
    truth = normal(1, 20_000, seed=1)
    scores = [float(crps(a * normal(4, 1, 20_000), truth)) for a in (0.7, 1.0, 1.4)]
    assert scores[1] < min(scores[0], scores[2]) - 0.005


def test_complex_images_have_the_mean_of_both_parts() -> None:
    real, imaginary = normal(3, 2, 1, 4, 4), normal(3, 2, 1, 4, 4, seed=1)
    truth = [normal(2, 1, 4, 4, seed=seed) for seed in (2, 3)]
    found = crps(torch.complex(real, imaginary), torch.complex(*truth))
    torch.testing.assert_close(found, (crps(real, truth[0]) + crps(imaginary, truth[1])) / 2)


def test_wrong_arguments() -> None:
    with pytest.raises(
        ValueError, match="`samples` must hold at least 2 for the fair score, got 1"
    ):
        crps(torch.zeros(1, 2, 3), torch.zeros(2, 3))
    with pytest.raises(ValueError, match=r"`truth` must have the shape \(2, 3\), got \(3,\)"):
        crps(torch.zeros(4, 2, 3), torch.zeros(3))
