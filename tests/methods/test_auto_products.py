"""Sets of particles see all of the Jacobian of modest images, where `auto` takes them."""

from __future__ import annotations

import pytest
from torch import Tensor

from invscore import GaussianNoise, InverseProblem, reconstruct, simulate
from invscore.batches import PerImage
from invscore.exact import exact_posterior
from invscore.methods.auto import resolve
from invscore.operators import Blur
from invscore.priors import Prior, StationaryGaussianPrior


class White(Prior):
    """A field of which nothing but its denoiser is known."""

    def __init__(self, field: StationaryGaussianPrior) -> None:
        self.field, self.mean, self.variance = field, field.mean, field.variance

    def denoise(self, x: Tensor, sigma: PerImage) -> Tensor:
        return self.field.denoise(x, sigma)


def blurred(side: int) -> tuple[InverseProblem, StationaryGaussianPrior]:
    shape = (1, side, side)
    field = StationaryGaussianPrior.power_law(shape, variance=1.0)
    operator, noise = Blur.gaussian(1.5, shape), GaussianNoise(0.05)
    return InverseProblem(operator, simulate(operator, field.sample(1, 0), noise, 0), noise), field


@pytest.mark.parametrize(
    ("side", "particles", "expected"), [(10, 100, 2), (20, 100, 4), (32, 100, 11), (20, 25, 12)]
)
def test_products_of_a_particle(side: int, particles: int, expected: int) -> None:
    problem, field = blurred(side)
    info, own = resolve(problem, White(field), {"steps": None, "particles": particles})
    assert (info.name, own["directions"]) == ("matched_smc", expected)


def test_correlated_fields_leave_weights_even() -> None:
    """With two products each, 16 of 100 particles were left and the result was doubted."""
    problem, field = blurred(24)
    result = reconstruct(problem, White(field), samples=100, scale=1.0)
    exact = exact_posterior(problem, field)
    away = (result.samples[:, 0].mean(dim=0) - exact.mean) / exact.std
    assert away.square().mean().sqrt() < 1.3 / 100**0.5
    assert min(result.trace["effective_sample_size"]) > 99
    assert result.warnings == ()
