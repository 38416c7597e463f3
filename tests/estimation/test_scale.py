"""The factor between the units of a measurement and those of a prior."""

from __future__ import annotations

import pytest
import torch

from invscore import GaussianNoise, InverseProblem, PoissonNoise, reconstruct, simulate
from invscore.estimation.noise_map import with_noise_map
from invscore.estimation.scale import WIDTHS, averaged, estimate_scale, factor_of_peak
from invscore.operators import (
    MRI,
    Blur,
    Identity,
    Inpainting,
    LinearOperator,
    SuperResolution,
    from_function,
)
from invscore.priors import StationaryGaussianPrior

SHAPE = (1, 32, 32)
PRIOR = StationaryGaussianPrior.power_law(SHAPE, exponent=2.5, variance=0.03, mean=0.5)
PRIOR.peak = 1.0
PHOTO = PRIOR.sample(1, 3).clamp(0, 1).float()
PHOTO[..., 4:9, 4:9] = 1.0
STAR = torch.zeros(1, *SHAPE)
STAR[0, 0, 12, 17] = 1.0
OPERATORS: dict[str, LinearOperator] = {
    "denoise": Identity(SHAPE),
    "blur": Blur.gaussian(1.6, SHAPE),
    "valid": Blur.gaussian(1.0, SHAPE, boundary="valid"),
    "inpaint": Inpainting.random(SHAPE, 0.3),
    "superres": SuperResolution(2, SHAPE),
    "mri": MRI.random(SHAPE, real=True),
}


def factor(
    operator: LinearOperator, x: torch.Tensor, noise: float = 0.01, unit: float = 1.0
) -> float:
    y = unit * simulate(operator, x, GaussianNoise(noise), 0)
    problem = InverseProblem(operator, y, GaussianNoise(unit * noise))
    return float(estimate_scale(problem, PRIOR))


def test_one_continuous_rule() -> None:
    ratios = torch.logspace(-8, 8, 20001, dtype=torch.float64)
    factors = factor_of_peak(ratios)
    steps = (factors[1:] / factors[:-1]).log() / (ratios[1:] / ratios[:-1]).log()
    assert float(steps.min()) > -1e-9
    assert float(steps.max()) < 3  # no jump
    seen = ratios / factors
    assert 0.3 - 1e-3 < float(seen.min()) < float(seen.max()) < 1.25 + 1e-3
    far = (ratios > 2) | (ratios < 0.15)
    torch.testing.assert_close(factors[far], ratios[far])
    within = (ratios > 0.3) & (ratios < 1.25)
    assert bool((factors[within] == 1).all())


@pytest.mark.parametrize("name", OPERATORS)
@pytest.mark.parametrize("noise", [0.01, 0.1])
def test_photographs_in_any_unit(name: str, noise: float) -> None:
    operator = OPERATORS[name]
    assert factor(operator, PHOTO, noise) == 1
    for unit in (1e-6, 1e-3, 2.2, 3.0, 4.5, 255.0, 1e6):
        # Twice the peak of a photograph may be in the range in which the factor is drawn to 1.
        low = 0.6 if unit > 10 or unit < 0.1 else 0.35
        assert low < factor(operator, PHOTO, noise, unit) / unit < 1.3


def test_averages_over_windows() -> None:
    image = torch.rand(2, 3, 17, 20, dtype=torch.float64)
    for width in (*WIDTHS, 16):
        wanted = torch.nn.functional.avg_pool2d(image, width, stride=1)
        torch.testing.assert_close(averaged(image, width), wanted)
    both = averaged(torch.complex(image, image), 7)
    torch.testing.assert_close(both, torch.complex(*[averaged(image, 7)] * 2))


@pytest.mark.parametrize("name", ["denoise", "blur", "valid", "mri"])
def test_points(name: str) -> None:
    assert 0.8 < factor(OPERATORS[name], STAR) <= 1.1
    assert 0.4 < factor(OPERATORS[name], STAR, unit=1e4) / 1e4 < 1.2


def test_a_kernel_as_wide_as_what_is_seen_makes_no_points_of_photographs() -> None:
    flat = Blur(torch.ones(17, 17) / 17**2, SHAPE, boundary="valid")
    assert flat.out_shape == (1, 16, 16)
    assert 0.7 < factor(flat, PHOTO, 0.002) < 1.4


@pytest.mark.parametrize("name", ["denoise", "blur", "inpaint", "superres", "mri"])
def test_noise_beyond_the_image_is_not_its_scale(name: str) -> None:
    """A picture under four times its peak of noise is seen once neighbours are averaged."""
    assert factor(OPERATORS[name], PHOTO, noise=4.0) == pytest.approx(1, rel=1e-6)


def test_sparse_constant_and_empty_images() -> None:
    sparse = torch.zeros(1, *SHAPE)
    sparse.view(-1)[torch.randperm(1024, generator=torch.Generator().manual_seed(0))[:12]] = 1.0
    assert 0.8 < factor(OPERATORS["denoise"], sparse) <= 1.1
    assert factor(OPERATORS["blur"], torch.full((1, *SHAPE), 0.7)) == 1
    for unit in (1e-6, 1.0, 1e6):  # noise alone: never less than it would hide
        found = factor(OPERATORS["denoise"], torch.zeros(1, *SHAPE), 0.01, unit)
        assert 1.8e-3 < found / unit < 1e-2
    dark = InverseProblem(Identity(SHAPE), torch.zeros(1, *SHAPE), GaussianNoise(0.1))
    assert 0 < float(estimate_scale(dark, PRIOR)) <= 1


@pytest.mark.parametrize("poisson", [False, True])
def test_each_image_of_a_batch_by_itself(poisson: bool) -> None:
    units = torch.tensor([1.0, 1e-3, 40.0])
    operator = OPERATORS["denoise"]
    noise = PoissonNoise(1e5) if poisson else GaussianNoise(0.01 * units)
    y = units.reshape(-1, 1, 1, 1) * PHOTO
    y = simulate(operator, y, noise, 0)
    options = (
        {"method": "prox_gradient", "steps": 3} if poisson else {"method": "diffpir", "steps": 6}
    )
    together = reconstruct(InverseProblem(operator, y, noise), PRIOR, samples=2, **options)
    assert isinstance(together.scale, torch.Tensor)
    assert together.scale.shape == (3,)
    for k in range(3):
        law = noise if poisson else GaussianNoise(float(0.01 * units[k]))
        alone = reconstruct(InverseProblem(operator, y[k : k + 1], law), PRIOR, **options)
        assert alone.scale == pytest.approx(float(together.scale[k]), rel=1e-5)
        if k == 0:  # streams are those of the place in the batch
            torch.testing.assert_close(together.samples[0, 0], alone.samples[0, 0])
        error = (together.mean[k] - units[k] * PHOTO[0]).square().mean().sqrt() / units[k]
        assert error < 0.2


@pytest.mark.parametrize("name", ["denoise", "valid"])
def test_noise_that_grows_with_the_light(name: str) -> None:
    """As counts have it: bright numbers, weighted least, are as bright as with even noise."""
    operator = OPERATORS[name]
    clean = 255 * operator(PHOTO)
    variance = (0.02 * clean.clamp_min(0) + 1) * torch.linspace(0.3, 30, clean.shape[-1])
    noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(0))
    y = clean + variance.sqrt() * noise
    even = InverseProblem(operator, y, GaussianNoise(float(variance.mean().sqrt())))
    uneven = with_noise_map(operator, y, variance[0])
    assert float(estimate_scale(uneven, PRIOR)) == pytest.approx(float(estimate_scale(even, PRIOR)))
    variance[0, 0, 0, 0], y[0, 0, 0, 0] = 1e12, 1e6  # a pixel that is marked so
    marked = with_noise_map(operator, y, variance[0])
    assert float(estimate_scale(marked, PRIOR)) / 255 == pytest.approx(1, abs=0.3)


def test_units_change_nothing_else() -> None:
    operator = OPERATORS["blur"]
    y = simulate(operator, PHOTO, GaussianNoise(0.01), 0)
    plain = reconstruct(
        InverseProblem(operator, y, GaussianNoise(0.01)), PRIOR, method="diffpir", steps=8
    )
    for unit in (1e-24, 1e-6, 3.0, 1e6, 1e22):
        problem = InverseProblem(operator, unit * y, GaussianNoise(0.01 * unit))
        prior = PRIOR.to(dtype=problem.y.dtype)
        result = reconstruct(problem, prior, method="diffpir", steps=8)
        error = (result.mean / unit - PHOTO).square().mean().sqrt()
        assert error < 1.03 * (plain.mean - PHOTO).square().mean().sqrt()


def test_a_nonlinear_operator_has_no_other_factor() -> None:
    square = from_function(lambda x: x**2, SHAPE, linear=False)
    problem = InverseProblem(square, 9 * PHOTO**2, GaussianNoise(0.1))
    assert reconstruct(problem, PRIOR, method="dps", steps=2).scale == 1
    with pytest.raises(ValueError, match="`scale` must be 1 or 'auto' for a nonlinear operator"):
        reconstruct(problem, PRIOR, method="dps", steps=2, scale=3.0)
