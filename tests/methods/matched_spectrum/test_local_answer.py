"""Where a denoiser passes more noise than elsewhere, and draws that are as uneven."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from invscore import GaussianNoise, InverseProblem, reconstruct
from invscore.methods.gaussian_field.frequency_bands import FrequencyBands
from invscore.methods.matched_spectrum.cheapest import measurement_for
from invscore.methods.matched_spectrum.local_answer import LocalAnswer
from invscore.methods.matched_spectrum.local_scale import EVEN
from invscore.methods.matched_spectrum.measurement import AtLevel
from invscore.operators import Blur, Inpainting, LinearOperator
from invscore.priors import GaussianPrior
from invscore.rng import SampleRNG

F64 = torch.float64
SHAPE = (2, 64, 64)
NOISE = GaussianNoise(1e3)
LEFT, RIGHT = slice(8, 24), slice(40, 56)


def images(seed: int, count: int = 1, shape: tuple[int, ...] = SHAPE) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, *shape, dtype=F64, generator=generator)


def halves(left: float, right: float) -> Tensor:
    values = torch.full((1, *SHAPE), right, dtype=F64)
    values[..., :32] = left
    return values


def ratio(scale: Tensor) -> float:
    """Of the mean variances of the two halves."""
    return float(scale[..., LEFT].square().mean() / scale[..., RIGHT].square().mean())


def test_scales_are_those_of_what_is_passed() -> None:
    """0.8 of the noise in one half and 0.1 in the other, whatever a draw has that D takes away."""
    noise, error = images(0, 400), images(1, 400)
    local = LocalAnswer(FrequencyBands(noise))
    local.see(noise, halves(0.8, 0.1) * noise - 0.5 * error, 1.0)
    scale = local.scale(noise)
    assert scale.shape == noise.shape
    assert torch.equal(scale[:, 0], scale[:, 1])
    torch.testing.assert_close(scale.square().mean(dim=(1, 2, 3)), torch.ones(400, dtype=F64))
    even = EVEN * 0.45
    assert ratio(scale) == pytest.approx((0.8 + even) / (0.1 + even), rel=0.1)


def test_earlier_levels_count_by_the_square() -> None:
    """0.4 of the noise and then a tenth: ``0.1 + 0.3 / 4`` at half the level."""
    noise = images(0).sgn()  # whose square is even
    local = LocalAnswer(FrequencyBands(noise))
    local.see(noise, halves(0.4, 0.2) * noise, 1.0)
    local.see(0.5 * noise, 0.5 * halves(0.1, 0.2) * noise, 0.5)
    even = EVEN * (0.175 + 0.2) / 2
    expected = (0.175 + even) / (0.2 + even)
    assert ratio(local.scale(noise)) == pytest.approx(expected, rel=2e-3)


def test_no_place_is_without_spread() -> None:
    """Where D seems to pass less than nothing, a twentieth of the mean is left."""
    noise = images(0).sgn()
    local = LocalAnswer(FrequencyBands(noise))
    local.see(noise, halves(0.5, -0.5) * noise, 1.0)
    scale = local.scale(noise)[..., RIGHT].square()
    torch.testing.assert_close(
        scale, torch.full_like(scale, EVEN / (1 + EVEN)), rtol=1e-3, atol=0.0
    )


def test_a_guess_far_from_the_measurement_is_no_overflow() -> None:
    noise = images(0).sgn()
    local = LocalAnswer(FrequencyBands(noise))
    local.see(noise, halves(0.4, 0.2) * noise, 1e-4)
    local.see(noise, halves(0.4, 0.2) * noise, 5e-5)
    even = EVEN * 0.3
    assert ratio(local.scale(noise)) == pytest.approx((0.4 + even) / (0.2 + even), rel=5e-3)


@pytest.mark.parametrize(
    "operator", [Blur.gaussian(1.0, SHAPE), Inpainting.random(SHAPE, 0.3)], ids=["filter", "mask"]
)
def test_draws_are_as_uneven(operator: LinearOperator) -> None:
    """And on the whole as wide, about the same mean."""
    problem = InverseProblem(operator, torch.zeros(1, *operator.out_shape, dtype=F64), NOISE)
    bands = FrequencyBands(images(0))
    noise = images(2).sgn()
    local = LocalAnswer(bands)
    local.see(noise, halves(0.9, 0.1) * noise, 1.0)
    measurement = measurement_for(problem, operator, bands)
    assert measurement.local
    state = measurement.picture(torch.zeros(1, *SHAPE, dtype=F64))
    c = torch.full_like(noise, 0.01)

    def power(uneven: LocalAnswer | None) -> Tensor:
        drawn = []
        for seed in range(40):
            at = AtLevel(
                0.1, c, c, state.spectrum, state.spectrum, measurement.asked(state), uneven
            )
            drawn.append(measurement.draw(at, SampleRNG([(seed,)])).image)
        return torch.cat(drawn).square().mean(dim=0, keepdim=True)

    uneven, even = power(local), power(None)
    assert float(uneven.mean() / even.mean()) == pytest.approx(1, abs=0.02)
    scales = local.scale(noise).square()
    for half in (LEFT, RIGHT):
        found = uneven[..., half].mean() / even[..., half].mean()
        assert float(found) == pytest.approx(float(scales[..., half].mean()), rel=0.05)


def test_what_is_told_is_even() -> None:
    """An even field: its draws are the same but for chance, those of `told` in closed form."""
    shape = (1, 16, 16)
    prior = GaussianPrior(torch.full(shape, 0.5, dtype=F64), 0.04)
    operator = Blur.gaussian(1.0, shape)
    problem = InverseProblem(operator, torch.full((1, *shape), 0.5, dtype=F64), GaussianNoise(0.1))
    told, local = (
        reconstruct(
            problem, prior, method="matched_spectrum", samples=200, steps=3, spread=spread
        ).samples
        for spread in ("told", "local")
    )
    assert not torch.equal(told, local)
    assert float(local.var() / told.var()) == pytest.approx(1, rel=0.05)
