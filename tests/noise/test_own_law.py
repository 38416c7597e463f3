"""A law of one's own, as the page on extending writes it, and what follows from it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch

from invscore import GaussianPrior, InverseProblem, reconstruct, simulate
from invscore.operators import Identity
from invscore.plugins.modules import find_object
from invscore.rng import SampleRNG

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "extending.md"


@pytest.fixture(scope="module")
def laplace(tmp_path_factory: pytest.TempPathFactory) -> Any:
    block = re.search(r"```python\n(# my_noise\.py\n.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    assert block is not None
    file = tmp_path_factory.mktemp("own") / "my_noise.py"
    file.write_text(block[1], encoding="utf-8")
    return find_object(f"{file}:LaplaceNoise")


def test_the_score_follows(laplace: Any) -> None:
    y = torch.tensor([[1.0, -2.0]], dtype=torch.float64)
    clean = torch.tensor([[0.2, 0.1]], dtype=torch.float64)
    for around in (torch.inference_mode, torch.no_grad):
        with around():
            score = laplace(0.5).score(y, clean)
        assert torch.equal(score, torch.tensor([[2.0, -2.0]], dtype=torch.float64))


def test_draws_have_the_moments_that_are_told(laplace: Any) -> None:
    noise, clean = laplace(0.3), torch.zeros(1, 400_000, dtype=torch.float64)
    drawn, variance = noise.sample(clean, SampleRNG([(0,)])), float(noise.variance(clean))
    square, count = float(drawn.square().mean()), clean.numel()
    assert abs(float(drawn.mean())) < 4 * (variance / count) ** 0.5
    assert square / variance == pytest.approx(1, abs=4 * (5 / count) ** 0.5)
    excess = float(drawn.pow(4).mean()) / square**2 - 3
    assert excess == pytest.approx(float(noise.kurtosis(clean)), abs=0.3)
    assert float(noise.scaled(2.0).variance(clean)) == pytest.approx(4 * variance)


def test_images_are_restored(laplace: Any) -> None:
    operator, prior = Identity((1, 8, 8)), GaussianPrior(torch.full((1, 8, 8), 0.5), 0.04)
    truth = prior.sample(2, 0)
    problem = InverseProblem(operator, simulate(operator, truth, laplace(0.1)), laplace(0.1))
    assert problem.select(torch.tensor([1])).noise == laplace(0.1)
    result = reconstruct(problem, prior, method="matched_spectrum", samples=2, steps=5)
    seen, restored = (each - truth for each in (problem.y, result.mean))
    assert restored.square().mean() < 0.8 * seen.square().mean()
