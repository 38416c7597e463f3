"""What a residual says of a field: in closed form, by few iterations."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from invscore.methods.gaussian_field import frequency_bands
from invscore.methods.gaussian_field.frequency_bands import FrequencyBands
from invscore.methods.gaussian_field.operator_power import OperatorPower
from invscore.methods.gaussian_field.posterior import Unexplained, explained
from invscore.operators import Blur, Inpainting
from invscore.operators.cg import least_squares

F64 = torch.float64
SHAPE = (1, 20, 20)
NOISE = 0.02


def solved(residual: Tensor) -> tuple[Tensor, FrequencyBands, Blur, int]:
    """A field's spectrum by conjugate gradients, and how many iterations they took."""
    operator = Blur.gaussian(1.0, SHAPE, boundary="valid")
    bands = FrequencyBands(torch.zeros(1, *SHAPE, dtype=F64))
    c = bands.power_law(2.0, 0.05)
    power = bands.even(OperatorPower.of(operator, bands).power[None]) / NOISE**2
    made = []

    def forward(x: Tensor) -> Tensor:
        made.append(1)
        return operator.matvec(x)

    deviation = torch.full((1, 1, 1, 1), NOISE, dtype=F64)
    given = Unexplained(residual, deviation, c, power)
    found = explained(
        forward, operator.rmatvec, given, bands, iterations=1000, tolerance=1e-9, ask=True
    )
    return found, bands, operator, len(made)


def test_it_is_the_posterior_mean_of_the_field(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = torch.Generator().manual_seed(0)
    operator = Blur.gaussian(1.0, SHAPE, boundary="valid")
    residual = torch.randn(1, *operator.out_shape, dtype=F64, generator=generator)
    found, bands, _, few = solved(residual)
    unit = torch.eye(400, dtype=F64).reshape(400, *SHAPE)
    a = operator.matvec(unit).flatten(1).T
    cov = bands.image(bands.power_law(2.0, 0.05) * bands.spectrum(unit)).flatten(1)
    gram = a @ cov @ a.T + NOISE**2 * torch.eye(len(a), dtype=F64)
    wanted = cov @ a.T @ torch.linalg.solve(gram, residual.flatten())
    torch.testing.assert_close(bands.image(found).flatten(), wanted, rtol=1e-5, atol=1e-6)

    monkeypatch.setattr(FrequencyBands, "even", lambda _, values: values)
    again, _, _, many = solved(residual)
    torch.testing.assert_close(again, found, rtol=1e-4, atol=1e-6)
    assert few < 0.95 * many


def test_waves_and_their_opposites_are_one_wave_of_a_real_image() -> None:
    for shape in [(1, 6, 5), (3, 4, 4), (9,)]:
        values = torch.rand(2, *shape, dtype=F64)
        real = FrequencyBands(torch.zeros(1, *shape, dtype=F64))
        axes = tuple(range(1, values.ndim))
        opposed = torch.fft.fftn(torch.fft.ifftn(values, dim=axes).conj(), dim=axes).real
        # The transform of a conjugate is the conjugate at opposite frequencies.
        torch.testing.assert_close(real.even(values), (values + opposed) / 2)
        whole = FrequencyBands(torch.zeros(1, *shape, dtype=torch.complex128))
        assert torch.equal(whole.even(values), values)


def test_pixels_pass_of_every_wave_and_its_opposite_what_they_are_on_average() -> None:
    weight = torch.rand(5, 6, dtype=F64, generator=torch.Generator().manual_seed(0))
    weight[1] = 0
    operator = Inpainting(weight)
    bands = FrequencyBands(torch.zeros(1, 1, 5, 6, dtype=F64))
    unit = torch.eye(30, dtype=F64).reshape(30, 1, 5, 6)
    dense = bands.spectrum(operator.normal(bands.image(unit))).flatten(1)
    power, is_filter = OperatorPower.of(operator, bands)
    each = bands.even(dense.diagonal().reshape(1, 1, 5, 6))[0]
    torch.testing.assert_close(power.expand(each.shape), each)
    assert not is_filter
    assert OperatorPower.of(Inpainting(torch.ones(5, 6, dtype=torch.bool)), bands).is_filter


def test_iterations_go_on_from_a_start() -> None:
    generator = torch.Generator().manual_seed(0)
    a = torch.randn(2, 9, 6, dtype=F64, generator=generator)
    y = torch.randn(2, 9, dtype=F64, generator=generator)
    damping = torch.rand(6, dtype=F64, generator=generator)
    wanted = torch.linalg.solve(a.mT @ a + torch.diag(damping), (a.mT @ y[..., None]).squeeze(-1))
    made = []

    def forward(x: Tensor) -> Tensor:
        made.append(1)
        return torch.einsum("bij,bj->bi", a, x)

    def adjoint(u: Tensor) -> Tensor:
        return torch.einsum("bij,bi->bj", a, u)

    found = least_squares(forward, adjoint, y, damping=damping, tolerance=1e-9, start=wanted + 1)
    torch.testing.assert_close(found, wanted)
    made.clear()
    least_squares(forward, adjoint, y, damping=damping, start=wanted)
    assert len(made) == 1  # the residual of the start


def test_bands_of_small_images_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    like = torch.zeros(2, 1, 7, 5)
    bands = FrequencyBands.of(like)
    assert FrequencyBands.of(like[:1]) is bands
    assert FrequencyBands.of(like.double()) is not bands
    torch.testing.assert_close(bands.radius, FrequencyBands(like).radius)
    monkeypatch.setattr(frequency_bands, "SMALL", 34)
    assert FrequencyBands.of(like) is not bands
