"""The spectrum of white residuals is 1 with the law that it states; a coloured one is found."""

from __future__ import annotations

import pytest
import torch

from invscore import GaussianNoise, InverseProblem
from invscore.operators import MRI, Blur, Identity, Inpainting, LinearOperator
from invscore.uncertainty import spectrum
from invscore.uncertainty.spectrum import RINGS, SECTORS, residual_spectrum

F64 = torch.float64
SHAPE = (1, 18, 21)
OPERATORS: dict[str, LinearOperator] = {
    "all": Identity(SHAPE),
    "colours": Identity((3, 18, 21)),
    "scattered holes": Inpainting.random(SHAPE, keep=0.3),
    "one hole": Inpainting.box(SHAPE, size=12),
    "k-space": MRI.random(SHAPE, 2.0),
}


def spectrum_of(operator: LinearOperator, residual: torch.Tensor, sigma: float = 0.1):
    """That of residuals (b, ...): measurements of images that are zero."""
    problem = InverseProblem(operator, sigma * residual, GaussianNoise(sigma))
    nothing = torch.zeros(1, len(residual), *operator.in_shape, dtype=problem.image_dtype)
    found = residual_spectrum(problem, nothing)
    assert found is not None
    return found


@pytest.mark.parametrize("name", OPERATORS)
def test_white_noise_has_the_stated_mean_and_variance(name: str) -> None:
    operator, count = OPERATORS[name], 3000
    dtype = torch.complex128 if operator.out_complex else F64
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(count, *operator.out_shape, dtype=dtype, generator=generator)
    found = spectrum_of(operator, noise * (2**0.5 if dtype.is_complex else 1))
    filled = found.freedom > 0
    assert int(filled.sum()) >= RINGS * SECTORS - 8
    power, freedom = found.power[:, filled], found.freedom[filled]
    off = (power.mean(dim=0) - 1) / (2 / freedom / count) ** 0.5
    assert float(off.abs().max()) < 4.5
    spread = power.var(dim=0) * freedom / 2
    kurtosis = 2 + 12 / freedom  # of a chi-square law
    assert float(((spread - 1) / (kurtosis / count) ** 0.5).abs().max()) < 6
    rare = (found.chance_above()[:, filled] < 0.01).double().mean()
    assert 0.006 < float(rare) < 0.014


def test_moments_are_those_of_the_quadratic_form() -> None:
    """``tr Q`` and ``tr Q^2`` from the matrix itself, for a mask of any form."""
    from invscore.uncertainty.spectrum import _bands, _moments

    generator = torch.Generator().manual_seed(1)
    seen = (torch.rand(1, 16, 17, generator=generator) < 0.6).double()
    bands = _bands(16, 17, centred=False)
    mean, freedom = _moments(seen, bands)
    basis = torch.eye(16 * 17, dtype=F64).reshape(-1, 16, 17) * seen
    waves = torch.fft.fft2(basis, norm="ortho").flatten(1)
    for band in (0, 9, 22, RINGS * SECTORS - 1):
        chosen = waves[:, (bands == band).flatten()]
        form = (chosen @ chosen.mH).real
        torch.testing.assert_close(mean[band], form.trace())
        torch.testing.assert_close(freedom[band], form.trace() ** 2 / (form @ form).trace())


def test_a_wave_is_found_in_its_ring_and_sector() -> None:
    rows = torch.arange(40.0, dtype=F64)[:, None].expand(40, 40)
    for wave, sector in ((rows, 2), (rows.T, 0), (rows + rows.T, 1), (rows - rows.T, 3)):
        frequency = 0.1 if wave is rows or sector == 0 else 0.075
        x = torch.cos(2 * torch.pi * frequency * wave)[None, None]
        found = spectrum_of(Identity((1, 40, 40)), x)
        place = divmod(int(found.power[0].argmax()), SECTORS)
        length = frequency * (1 if sector % 2 == 0 else 2**0.5)
        assert place == (int(2 * RINGS * length), sector)


def test_what_has_no_frequencies_has_no_spectrum() -> None:
    for shape in ((300,), (1, 8, 300)):
        operator = Identity(shape)
        problem = InverseProblem(operator, torch.zeros(1, *shape), GaussianNoise(0.1))
        assert residual_spectrum(problem, torch.zeros(1, 1, *shape)) is None


def test_a_blur_of_any_boundary_is_served() -> None:
    operator = Blur.gaussian(1.0, (1, 40, 40), boundary="valid")
    noise = torch.randn(50, *operator.out_shape, generator=torch.Generator().manual_seed(2))
    assert float(spectrum_of(operator, noise).power.mean()) == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("shape", [(1, 16, 16), (3, 24, 17)])
def test_without_a_mask_moments_are_those_of_a_mask_that_hides_nothing(
    shape: tuple[int, int, int],
) -> None:
    found = spectrum._moments_of_all(shape)
    expected = spectrum._moments(torch.ones(shape), spectrum._bands(*shape[1:], centred=False))
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-4)
