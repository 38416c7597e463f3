"""Fields behind blurs with a border: cosines, and what is measured of them."""

from __future__ import annotations

import math

import pytest
import torch
from scipy.fft import dctn
from torch import Tensor

from invscore import GaussianNoise, GaussianPrior, InverseProblem, exact_posterior
from invscore.methods.gaussian_field import bordered, frequency_bands
from invscore.methods.gaussian_field.bordered import explained_at_border
from invscore.methods.gaussian_field.frequency_bands import FrequencyBands
from invscore.methods.gaussian_field.operator_power import OperatorPower
from invscore.methods.gaussian_field.power_law import field_mean
from invscore.methods.gaussian_field.waves import bands_behind, bands_of_guess
from invscore.methods.matched_spectrum.cheapest import measurement_for
from invscore.methods.matched_spectrum.measurement import FilteredMeasurement
from invscore.operators import Blur, Identity, Inpainting, LinearOperator

F64 = torch.float64
SHAPE = (1, 14, 11)
SKEW = torch.tensor([[0.1, 0.5, 0.0], [0.0, 0.2, 0.1], [0.0, 0.1, 0.0]], dtype=F64)
BORDERED = {
    "valid": Blur.gaussian(0.8, SHAPE, size=5, boundary="valid"),
    "valid, skew": Blur(SKEW, SHAPE, boundary="valid"),
    "reflect, skew": Blur(SKEW, SHAPE, boundary="reflect"),
}
MIRRORED = Blur.gaussian(0.8, SHAPE, boundary="reflect")


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=F64, generator=torch.Generator().manual_seed(seed))


def unit(shape: tuple[int, ...]) -> Tensor:
    n = math.prod(shape)
    return torch.eye(n, dtype=F64).reshape(n, *shape)


def dense(operator: LinearOperator) -> Tensor:
    return operator.matvec(unit(SHAPE)).flatten(1).T


def covariance(bands: FrequencyBands, c: Tensor) -> Tensor:
    return bands.image(c * bands.spectrum(unit(SHAPE))).flatten(1)


@pytest.mark.parametrize("shape", [(1, 8, 6), (1, 7, 5), (3, 6, 9), (1, 1, 1)])
def test_spectra_are_cosines(shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    x = random(2, *shape)
    bands = FrequencyBands(x, mirrored=True)
    spectrum = bands.spectrum(x)
    torch.testing.assert_close(bands.image(spectrum), x)
    common = spectrum[:, 0] * shape[0] ** -0.5
    wanted = torch.from_numpy(dctn(x.mean(dim=1).numpy(), axes=(1, 2), norm="ortho"))
    torch.testing.assert_close(common, wanted)
    torch.testing.assert_close(bands.sum(spectrum**2).sum(1), x.square().flatten(1).sum(1))
    moved = bands.about(0.7, bands.spectrum(x + 0.7))
    torch.testing.assert_close(moved, spectrum)
    assert float(bands.numbers.sum()) == x[0].numel()
    assert torch.equal(bands.even(spectrum), spectrum)
    monkeypatch.setattr(frequency_bands, "FEW", 0)
    many = FrequencyBands(x, mirrored=True)
    torch.testing.assert_close(many.sum(spectrum**2), bands.sum(spectrum**2))
    values = torch.rand(2, len(bands.numbers), dtype=F64)
    assert torch.equal(many.spread(values), bands.spread(values))


def test_a_cosine_has_half_a_period_less_than_a_wave() -> None:
    bands = FrequencyBands(torch.zeros(1, 1, 6, 8, dtype=F64), mirrored=True)
    rows, columns = torch.arange(6, dtype=F64) / 12, torch.arange(8, dtype=F64) / 16
    torch.testing.assert_close(bands.radius[0], torch.hypot(rows[:, None], columns))
    power = bands.power_law(3.0, 0.2)
    waves = FrequencyBands(torch.zeros(1, 1, 6, 8, dtype=F64)).power_law(3.0, 0.2)
    torch.testing.assert_close(power[..., ::2, ::2], waves[..., :3, :4])  # of whole periods
    assert float(power[0, 0, 0, 2] / power[0, 0, 0, 4]) == pytest.approx(8.0)


def test_what_passes_of_cosines_is_the_diagonal() -> None:
    bands = FrequencyBands(torch.zeros(1, *SHAPE, dtype=F64), mirrored=True)
    a = bands.spectrum(MIRRORED.normal(bands.image(unit(SHAPE)))).flatten(1)
    power, is_filter = OperatorPower.of(MIRRORED, bands)
    assert is_filter
    torch.testing.assert_close(torch.diag(power.flatten()), a, rtol=0, atol=1e-12)
    for operator in BORDERED.values():
        assert not OperatorPower.of(operator, bands).is_filter


def test_what_passes_far_from_a_border_is_the_mean_of_two_waves() -> None:
    height, width = 9, 12
    padded = torch.zeros(2 * height, 2 * width, dtype=F64)
    padded[:3, :3] = SKEW
    whole = torch.fft.fft2(padded).abs().square()
    other = whole[:height, torch.cat([torch.zeros(1).long(), torch.arange(-1, -width, -1)])]
    wanted = (whole[:height, :width] + other) / 2
    operator = Blur(SKEW, (1, 16, 16), boundary="valid")
    torch.testing.assert_close(operator.power((height, width)), wanted)
    bands = FrequencyBands(torch.zeros(1, 1, 16, 16, dtype=F64), mirrored=True)
    share = 14 * 14 / 16**2  # of the pixels is measured
    found = OperatorPower.of(operator, bands).power[0]
    torch.testing.assert_close(found, share * operator.power((16, 16)))


@pytest.mark.parametrize("name", BORDERED)
@pytest.mark.parametrize("uneven", [False, True])
def test_it_is_the_posterior_mean_of_the_field(
    name: str, uneven: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    operator = BORDERED[name]
    bands = FrequencyBands(torch.zeros(1, *SHAPE, dtype=F64), mirrored=True)
    residual = random(2, *operator.out_shape, seed=1)
    variance = torch.tensor([1e-3, 4e-3], dtype=F64).reshape(2, 1, 1, 1)
    if uneven:
        variance = variance * (1 + random(*residual.shape, seed=2).abs())

    def law(of: FrequencyBands) -> Tensor:
        return of.power_law(3.0, 0.05)

    def found() -> Tensor:
        return bands.image(explained_at_border(operator, residual, variance, bands, law))

    a, cov = dense(operator), covariance(bands, law(bands))
    gram = a @ cov @ a.T
    each = variance.expand(residual.shape).flatten(1)
    wanted = torch.stack(
        [
            cov @ a.T @ torch.linalg.solve(gram + torch.diag(v), r)
            for v, r in zip(each, residual.flatten(1), strict=True)
        ]
    )
    roughly = found().flatten(1)
    assert float((roughly - wanted).norm() / wanted.norm()) < 0.05
    monkeypatch.setattr(bordered, "TOLERANCE", 1e-11)
    torch.testing.assert_close(found().flatten(1), wanted, rtol=1e-6, atol=1e-8)


def test_few_iterations_find_a_large_field(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    operator = Blur.gaussian(3.0, (1, 96, 96), boundary="valid")
    solve = bordered.conjugate_gradient

    def counting(apply, b, **options):  # type: ignore[no-untyped-def]
        def once(x: Tensor) -> Tensor:
            made.append(1)
            return apply(x)

        return solve(once, b, **options)

    monkeypatch.setattr(bordered, "conjugate_gradient", counting)
    scene = random(1, 1, 96, 96).cumsum(2).cumsum(3)
    scene = 0.25 * scene / scene.std()
    y = operator.matvec(scene)
    problem = InverseProblem(operator, y + 0.025 * random(*y.shape, seed=5), GaussianNoise(0.025))
    field_mean(problem, operator, torch.zeros_like(scene), 3.0, 0.0625)
    assert 3 < len(made) <= 20  # 200 of images


@pytest.mark.parametrize("name", [*BORDERED, "mirrored"])
def test_a_guess_is_that_of_a_field_of_cosines(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bordered, "TOLERANCE", 1e-11)
    operator = MIRRORED if name == "mirrored" else BORDERED[name]
    mean = torch.full((1, *SHAPE), 0.3, dtype=F64)
    y = random(1, *operator.out_shape, seed=3)
    problem = InverseProblem(operator, y, GaussianNoise(0.05))
    bands = FrequencyBands(mean, mirrored=True)
    cov = covariance(bands, bands.power_law(3.0, 0.06))
    wanted = exact_posterior(problem, GaussianPrior(mean[0], cov)).mean
    found = field_mean(problem, operator, mean, 3.0, 0.06)
    torch.testing.assert_close(found, wanted.reshape(found.shape), rtol=1e-6, atol=1e-7)


def test_cosines_are_taken_where_nothing_wraps_around() -> None:
    like = torch.zeros(1, *SHAPE)
    for operator in BORDERED.values():
        assert bands_of_guess(operator, like).mirrored
        assert not bands_behind(operator, like).mirrored
    assert bands_of_guess(MIRRORED, like).mirrored
    assert bands_behind(MIRRORED, like).mirrored
    for operator in (Blur.gaussian(0.8, SHAPE), Identity(SHAPE), Inpainting.random(SHAPE, 0.5)):
        assert not bands_of_guess(operator, like).mirrored
        assert not bands_behind(operator, like).mirrored
    assert not bands_of_guess(MIRRORED, like.to(torch.complex64)).mirrored
    assert not bands_of_guess(MIRRORED, torch.zeros(1, 1, 3, 14, 11)).mirrored
    for side, wanted in ((512, True), (513, False)):  # larger ones take memory and time
        blur = Blur.gaussian(0.8, (1, 512, side), boundary="reflect")
        large = torch.zeros(()).expand(1, 1, 512, side)
        assert bands_of_guess(blur, large).mirrored is wanted
        assert bands_behind(blur, large).mirrored is wanted


def test_a_mirrored_blur_is_a_filter() -> None:
    y = random(1, *SHAPE)
    problem = InverseProblem(MIRRORED, y, GaussianNoise(0.1))
    bands = bands_behind(MIRRORED, y)
    assert isinstance(measurement_for(problem, MIRRORED, bands), FilteredMeasurement)
