"""Denoisers that are functions of somebody's own are asked as closed forms are, and no network."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from invscore import GaussianNoise, InverseProblem, reconstruct, simulate
from invscore.exact import exact_posterior
from invscore.methods.auto import resolve
from invscore.operators import Inpainting
from invscore.priors import DenoiserPrior, GaussianMixturePrior
from invscore.priors.counted import CountedPrior

SIDE = 12
SHAPE = (1, SIDE, SIDE)
ASKED = {"steps": None, "particles": 100}


def two_images() -> GaussianMixturePrior:
    """Alike in the upper half; in the lower one two, of which one is three times as likely."""
    generator = torch.Generator().manual_seed(0)
    means = 0.5 + 0.25 * torch.randn(2, *SHAPE, generator=generator)
    means[1, :, : SIDE // 2] = means[0, :, : SIDE // 2]
    return GaussianMixturePrior(means, 0.05**2, torch.tensor([0.25, 0.75]))


def half(prior: GaussianMixturePrior) -> InverseProblem:
    rows = torch.arange(SIDE)[:, None].expand(SIDE, SIDE)
    operator, noise = Inpainting(rows < SIDE // 2, SHAPE), GaussianNoise(0.02)
    return InverseProblem(operator, simulate(operator, prior.sample(1, 0), noise, 0), noise)


class Module(nn.Module):
    def __init__(self, mixture: GaussianMixturePrior) -> None:
        super().__init__()
        self.mixture = mixture

    def forward(self, z: Tensor, s: Tensor) -> Tensor:
        return self.mixture.denoise(z, s)


@pytest.mark.parametrize(
    ("function", "sigma_max", "method"),
    [
        (True, 2.0, "matched_smc"),
        (True, 1.9, "matched_spectrum"),  # ends below 8 deviations of a pixel, 0.25 each
        (False, 2.0, "matched_spectrum"),
    ],
)
def test_functions_of_high_levels_are_served_by_particles(
    function: bool, sigma_max: float, method: str
) -> None:
    mixture = two_images()
    denoiser = mixture.denoise if function else Module(mixture)
    prior = DenoiserPrior(denoiser, channels=1, sigma_min=0.01, sigma_max=sigma_max)
    assert prior.function == CountedPrior(prior).function == function
    assert resolve(half(mixture), prior, ASKED)[0].name == method


def test_weights_of_modes_by_a_function() -> None:
    mixture = two_images()
    problem = half(mixture)
    assert problem.count > 64
    prior = DenoiserPrior(mixture.denoise, channels=1, sigma_min=0.01, sigma_max=2.0)
    results = [reconstruct(problem, prior, samples=100, seed=seed) for seed in (0, 100, 200, 300)]
    # Of 19 levels two a particle, as J is shared; at first all 144, of one image for all.
    assert results[0].jacobian_products == pytest.approx(2 * 19 + 1.44)
    shares = [mixture.responsibilities(r.samples[:, 0], 0.0)[:, 0].mean() for r in results]
    expected = exact_posterior(problem, mixture).weights[0]
    assert abs(torch.stack(shares).mean() - expected) < 4 * (0.25 * 0.75 / 400) ** 0.5
    assert not results[0].warnings
