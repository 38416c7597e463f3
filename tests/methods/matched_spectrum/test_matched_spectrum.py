"""Matched spectra: frequency bands, the covariance of a denoiser, draws given y, the method."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

import pytest
import torch
from torch import Tensor

from invscore import reconstruct
from invscore.exact import exact_posterior
from invscore.likelihood import GaussianNoise, InverseProblem, PoissonNoise, simulate
from invscore.methods import METHODS
from invscore.methods.common.initial_guess import initial_guess
from invscore.methods.gaussian_field.frequency_bands import FrequencyBands
from invscore.methods.matched_spectrum.cheapest import measurement_for
from invscore.methods.matched_spectrum.denoiser_covariance import DenoiserCovariance
from invscore.methods.matched_spectrum.local_scale import EVEN, WIDTH, LocalScale
from invscore.methods.matched_spectrum.measurement import AtLevel, DecomposedMeasurement
from invscore.operators import (
    MRI,
    Blur,
    Identity,
    Inpainting,
    LinearOperator,
    SuperResolution,
    from_function,
)
from invscore.priors import GaussianPrior, StationaryGaussianPrior
from invscore.rng import SampleRNG

F64 = torch.float64
SHAPE = (1, 8, 8)
MEASUREMENT = import_module("invscore.methods.matched_spectrum.measurement")
LawOf = Callable[..., tuple[Tensor, Tensor]]


def images(count: int, shape: tuple[int, ...] = SHAPE, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, *shape, dtype=F64, generator=generator)


def field(size: int = 8, mean: float = 0.4) -> StationaryGaussianPrior:
    return StationaryGaussianPrior.power_law((1, size, size), variance=0.3, mean=mean, dtype=F64)


def measured(operator: LinearOperator, prior: StationaryGaussianPrior, s: float) -> InverseProblem:
    noise = GaussianNoise(s)
    return InverseProblem(operator, simulate(operator, prior.sample(1, 3), noise, 1), noise)


def operators(size: int = 8) -> dict[str, LinearOperator]:
    shape = (1, size, size)
    return {
        "blur": Blur.gaussian(1.0, shape),
        "mask": Inpainting.random(shape, keep=0.4, seed=1),
        "superresolution": SuperResolution(2, shape),
        "fourier": MRI.random(shape, acceleration=2, real=True),
    }


# frequency bands


@pytest.mark.parametrize("shape", [(1, 8, 6), (3, 5, 7), (6, 4), (9,), (1,), (2, 6, 5, 7)])
@pytest.mark.parametrize("dtype", [F64, torch.complex128])
def test_rings_hold_all_numbers_and_all_energy(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    x = images(2, shape).to(dtype)
    if dtype.is_complex:
        x = x + 1j * images(2, shape, 1)
    bands = FrequencyBands(x)
    torch.testing.assert_close(bands.image(bands.spectrum(x)), x)
    energy = bands.sum(bands.spectrum(x).abs() ** 2).sum(dim=1)
    torch.testing.assert_close(energy, (x.abs() ** 2).flatten(1).sum(dim=1))
    parts = 2 if dtype.is_complex else 1
    assert float(bands.count.sum()) == parts * x[0].numel()


def test_rings_are_half_octaves() -> None:
    """Power laws are straight lines in the logarithms, and so they are from band to band."""
    bands = FrequencyBands(images(1, (1, 32, 32)))
    fy = fx = torch.fft.fftfreq(32, dtype=F64)
    octave = torch.hypot(fy[:, None], fx).clamp_min(1 / 32).log2().expand(1, 1, 32, 32)
    centres = bands.sum(octave) / bands.sum(torch.ones_like(octave))
    inside = (octave >= centres.min()) & (octave <= centres.max())
    torch.testing.assert_close(bands.spread(centres)[inside], octave[inside])
    assert float(centres.diff().max()) < 0.8
    assert centres.shape[1] == 10


def test_what_channels_share_has_rings_of_its_own() -> None:
    x = images(1, (3, 6, 6))
    gray = x[:, :1].expand(-1, 3, -1, -1)
    bands = FrequencyBands(x)
    in_gray = bands.sum(bands.spectrum(gray.contiguous()).abs() ** 2)[0]
    in_colour = bands.sum(bands.spectrum(x - x.mean(dim=1, keepdim=True)).abs() ** 2)[0]
    half = len(in_gray) // 2
    assert float(in_gray[half:].max()) < 1e-20 < 1e-3 < float(in_gray[:half].min())
    assert float(in_colour[:half].max()) < 1e-20 < 1e-3 < float(in_colour[half:].min())


# What a denoiser makes of noise


@pytest.mark.parametrize("sigma", [0.05, 0.3, 2.0])
def test_response_of_a_field_is_found_from_one_image(sigma: float) -> None:
    prior = field(32)
    clean = prior.sample(1, 5)
    x = clean + sigma * images(1, prior.shape, 2)
    bands = FrequencyBands(x)
    spectra = [bands.spectrum(z - prior.mean) for z in (prior.denoise(x, sigma), clean, x)]
    found = DenoiserCovariance(bands).estimate(*spectra, sigma)
    power = prior.spectrum
    truth = sigma**2 * power / (power + sigma**2)
    # A band has the average of its frequencies, and the corners have that of the last band.
    error = (found[0] / truth - 1).abs()
    assert float(error.median()) < 0.02
    assert float(error.quantile(0.97)) < 0.1
    assert float(error.max()) < 0.35


def test_response_is_that_to_noise_alone() -> None:
    """A denoiser that passes images as they are and 0.3 of the noise."""
    clean, noise, sigma = images(1, (1, 32, 32)), images(1, (1, 32, 32), 1), 0.5
    bands = FrequencyBands(clean)
    c, n = bands.spectrum(clean), sigma * bands.spectrum(noise)
    found = DenoiserCovariance(bands).estimate(c + 0.3 * n, c, c + n, sigma)
    fine = bands.spread(bands.count[None]) > 60
    torch.testing.assert_close(
        found[fine], torch.full_like(found[fine], 0.3 * sigma**2), rtol=0.1, atol=0.0
    )


def test_response_remembers_by_the_square_of_the_level() -> None:
    """From a power p at level 1 to q at level 1 / 2: three quarters of the way, in logarithms."""
    x = images(1)
    bands, nothing = FrequencyBands(x), torch.zeros_like(x)
    covariance = DenoiserCovariance(bands)
    first = covariance.estimate(0.2 * x, nothing, x, 1.0)
    torch.testing.assert_close(first, torch.full_like(first, 0.2))
    second = covariance.estimate(0.6 * x, nothing, x, 0.5)
    power = 0.25**0.25 * (0.25 * 0.6 / 0.4) ** 0.75
    torch.testing.assert_close(second, torch.full_like(second, 0.25 * power / (power + 0.25)))


# Where a denoiser errs


def test_scales_are_those_of_the_error() -> None:
    """Four times the deviation in one half: scales 4 to 1, up to the share that all places have."""
    error = images(3, (2, 64, 64))
    error[..., :32] *= 4
    scale = LocalScale(FrequencyBands(error))(error)
    assert torch.equal(scale[:, 0], scale[:, 1])
    torch.testing.assert_close(scale.square().mean(dim=(1, 2, 3)), torch.ones(3, dtype=F64))
    large, small = (scale[..., at : at + 16].square().mean() for at in (8, 40))
    even = EVEN * 8.5
    assert float(large / small) == pytest.approx((16 + even) / (1 + even), rel=0.1)


def test_a_window_has_its_width() -> None:
    """An error at one place is spread by it, over all channels."""
    impulse = torch.zeros(1, 2, 32, 32, dtype=F64)
    impulse[0, 0, 16, 16] = 1
    found = LocalScale(FrequencyBands(impulse))(impulse).square() * (1 + EVEN)
    torch.testing.assert_close(found[0, 0], found[0, 1])
    spread = (found - found.amin()) / (found - found.amin()).sum()
    places = torch.arange(32, dtype=F64) - 16
    width = float((spread[0].sum(dim=(0, 2)) * places**2).sum()) ** 0.5
    assert width == pytest.approx(WIDTH, rel=1e-2)


def test_scales_of_complex_errors() -> None:
    error = torch.complex(*images(2, (1, 16, 16)))[None]
    parts = torch.stack([error.real, error.imag]).square().sum(dim=0).sqrt()
    found = LocalScale(FrequencyBands(error))(error)
    torch.testing.assert_close(found, LocalScale(FrequencyBands(parts))(parts))
    nothing = LocalScale(FrequencyBands(parts))(torch.zeros_like(parts))
    assert torch.equal(nothing, torch.zeros_like(parts))


# Draws given a measurement


def drawn(
    problem: InverseProblem,
    mean: Tensor,
    c: Tensor,
    rng: SampleRNG,
    sigma: float = 1e4,
    scale: Tensor | None = None,
) -> Tensor:
    """From the posterior of a field about ``mean``, by a state that tells nothing.

    Stationary, or as uneven as ``scale``.
    """
    assert isinstance(problem.operator, LinearOperator)
    measurement = measurement_for(problem, problem.operator, FrequencyBands(mean))
    if scale is not None:
        assert isinstance(measurement, DecomposedMeasurement)
        measurement.scale = lambda _: scale
    nothing = measurement.picture(torch.zeros_like(mean))
    about = measurement.picture(mean).spectrum
    state = measurement.asked(nothing)
    return measurement.draw(AtLevel(sigma, c, c, about, about, state), rng).image


@pytest.fixture
def many_iterations(monkeypatch: pytest.MonkeyPatch) -> None:
    """Conjugate gradients as far as they get, and y as precise as it is."""
    monkeypatch.setattr(MEASUREMENT, "MOST", {"shared": 200, "uneven": 200, "fresh": 200})
    monkeypatch.setattr(MEASUREMENT, "SHARPEST", 1e9)


@pytest.fixture
def exact_gain(monkeypatch: pytest.MonkeyPatch) -> None:
    """The Gaussian's own, of an even field."""
    monkeypatch.setattr(MEASUREMENT, "TRUST", 0.0)
    monkeypatch.setattr(LocalScale, "__call__", lambda _, error: torch.ones_like(error))


@pytest.mark.usefixtures("many_iterations")
@pytest.mark.parametrize("kind", operators())
def test_draws_follow_the_posterior_of_a_field(kind: str, law_of_draw: LawOf) -> None:
    prior = field()
    problem = measured(operators()[kind], prior, 0.2)

    def draw(task: InverseProblem, rng: SampleRNG) -> Tensor:
        like = prior.mean.expand(len(task.y), *SHAPE)
        return drawn(task, like, prior.spectrum.expand(len(task.y), -1, -1, -1), rng)

    mean, covariance = law_of_draw(draw, problem)
    exact = exact_posterior(problem, prior)
    torch.testing.assert_close(mean, exact.mean.flatten(), rtol=0, atol=1e-4)
    expected = exact.dense_covariance().matrix
    torch.testing.assert_close(covariance, expected, rtol=0, atol=1e-4 * float(expected.max()))


@pytest.mark.usefixtures("many_iterations")
@pytest.mark.parametrize("kind", ["mask", "superresolution"])
def test_draws_follow_the_posterior_of_an_uneven_field(kind: str, law_of_draw: LawOf) -> None:
    even = field()
    scale = torch.linspace(0.1, 2.0, 64, dtype=F64).reshape(1, *SHAPE)
    root = scale.flatten().diag()
    covariance = root @ even.dense_covariance().matrix @ root
    prior = GaussianPrior(even.mean, covariance)
    problem = measured(operators()[kind], even, 0.2)

    def draw(task: InverseProblem, rng: SampleRNG) -> Tensor:
        like = even.mean.expand(len(task.y), *SHAPE)
        c = even.spectrum.expand(len(task.y), -1, -1, -1)
        return drawn(task, like, c, rng, scale=scale)

    mean, found = law_of_draw(draw, problem)
    exact = exact_posterior(problem, prior)
    torch.testing.assert_close(mean, exact.mean.flatten(), rtol=0, atol=1e-4)
    expected = exact.dense_covariance().matrix
    torch.testing.assert_close(found, expected, rtol=0, atol=3e-4 * float(expected.max()))


@pytest.mark.parametrize("kind", operators())
@pytest.mark.parametrize("sigma", [0.05, 0.3, 1.0])
def test_the_iterations_of_a_level_are_enough(kind: str, sigma: float) -> None:
    """Beside the noise of the level, of draws of what a denoiser leaves open there."""
    prior = field(16)
    problem = measured(operators(16)[kind], prior, 0.05)
    c = (prior.spectrum * sigma**2 / (prior.spectrum + sigma**2))[None]
    like = prior.sample(1, 9)

    def draw(rng: SampleRNG) -> Tensor:
        return drawn(problem, like, c, rng, sigma)

    few = draw(SampleRNG([(0,)]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MEASUREMENT, "MOST", {"shared": 300, "uneven": 300, "fresh": 300})
        patch.setattr(MEASUREMENT, "PACE", 300)
        many = draw(SampleRNG([(0,)]))
    assert float((few - many).square().mean().sqrt()) < 0.05 * sigma


@pytest.mark.usefixtures("many_iterations", "exact_gain")
def test_draws_given_photons_take_the_variance_that_the_mean_implies(law_of_draw: LawOf) -> None:
    operator, photons = Identity(SHAPE), 40.0
    clean = torch.linspace(0.2, 1.5, 64, dtype=F64).reshape(1, *SHAPE)
    problem = InverseProblem(operator, 1.1 * clean, PoissonNoise(photons))
    variance = 0.04

    def draw(task: InverseProblem, rng: SampleRNG) -> Tensor:
        c = torch.full((len(task.y), *SHAPE), variance, dtype=F64)
        return drawn(task, clean.expand(len(task.y), *SHAPE), c, rng)

    mean, covariance = law_of_draw(draw, problem)
    gain = variance / (variance + clean / photons)
    torch.testing.assert_close(mean, (1 + 0.1 * gain).mul(clean).flatten(), rtol=1e-3, atol=0)
    expected = ((1 - gain) * variance).flatten()
    torch.testing.assert_close(covariance.diagonal(), expected, rtol=5e-3, atol=0)


# The method


@pytest.mark.usefixtures("many_iterations")
@pytest.mark.parametrize("kind", ["blur", "mask", "superresolution"])
@pytest.mark.parametrize("steps", [3, 8])
def test_exact_for_white_fields_in_any_number_of_steps(kind: str, steps: int, law: LawOf) -> None:
    """Of operators by which the impulses of ``law`` leave no band of frequencies empty."""
    white = StationaryGaussianPrior(torch.linspace(0, 1, 64, dtype=F64).reshape(SHAPE), WHITE)
    problem = measured(operators()[kind], white, 0.2)
    mean, covariance = law("matched_spectrum", problem, white, steps=steps, sigma_max=30.0)
    exact = exact_posterior(problem, white)
    torch.testing.assert_close(mean, exact.mean.flatten(), rtol=0, atol=3e-3)
    expected = exact.dense_covariance().matrix
    torch.testing.assert_close(covariance, expected, rtol=0, atol=3e-3)


WHITE = torch.full((8, 8), 0.5, dtype=F64)


@pytest.mark.parametrize("kind", ["blur", "mask"])
def test_the_mean_and_spread_of_a_coloured_field(kind: str) -> None:
    """The mean of a pair is that of the posterior, which a sample misses by its deviation."""
    prior = field(16)
    problem = measured(operators(16)[kind], prior, 0.1)
    result = reconstruct(problem, prior, method="matched_spectrum", samples=200, steps=20)
    exact = exact_posterior(problem, prior)
    std = exact.dense_covariance().matrix.diagonal().sqrt().reshape(prior.shape)
    found = result.samples[:, 0]
    pair = (found[:2].mean(dim=0) - exact.mean) / std
    assert float(pair.square().mean().sqrt()) < 0.1
    spread = (found - exact.mean).square().mean(dim=0).sqrt() / std
    assert abs(float(spread.mean()) - 1) < 0.02
    assert float((spread - 1).square().mean().sqrt()) < 0.11
    assert abs(float(result.residual) - 1) < 0.1


def test_independent_samples_where_asked_for() -> None:
    prior = field()
    problem = measured(operators()["mask"], prior, 0.2)
    pair = reconstruct(problem, prior, method="matched_spectrum", samples=2, antithetic=False)
    found = (pair.samples - exact_posterior(problem, prior).mean).flatten(1)
    assert float(torch.corrcoef(found)[0, 1]) > -0.6
    pair = reconstruct(problem, prior, method="matched_spectrum", samples=2)
    found = (pair.samples - exact_posterior(problem, prior).mean).flatten(1)
    assert float(torch.corrcoef(found)[0, 1]) < -0.95


def test_noise_has_the_level_of_the_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of each state, what is not its clean image, and of the first, what is not the guess."""
    prior, seen = field(16), []
    problem = measured(operators(16)["blur"], prior, 0.1)
    task = problem.select(torch.zeros(20, dtype=torch.long))
    denoise = prior.denoise

    def watched(x: Tensor, sigma: float) -> Tensor:
        seen.append((x, sigma))
        return denoise(x, sigma)

    monkeypatch.setattr(prior, "denoise", watched)
    info, rng = METHODS["matched_spectrum"], SampleRNG([(k,) for k in range(20)])
    *states, last = info.run(task, prior, rng, **info.options({"steps": 4, "sigma_max": 3.0}))
    guess = initial_guess(task, prior, 0.0, rng)
    for (x, sigma), clean in zip(seen, [guess, *(s.denoised for s in states)], strict=True):
        assert abs(float((x - clean).std()) / sigma - 1) < 0.05
    assert seen[0][1] == pytest.approx(3.0)
    assert [sigma for _, sigma in seen[1:]] == [state.sigma for state in states]
    assert torch.equal(last.x, last.denoised)


@pytest.mark.parametrize("name", ["blur", "wrapped twice"])
def test_measurements_with_other_axes_than_images(name: str) -> None:
    """A filter whose measurements are flat, as other libraries have them, is the same filter."""
    blur = Blur.gaussian(1.0, SHAPE)
    whole = blur if name == "blur" else blur @ blur
    flat = from_function(
        lambda x: whole.matvec(x).flatten(1),
        SHAPE,
        adjoint=lambda y: whole.rmatvec(y.view(-1, *SHAPE)),
    )
    prior, noise = field(), GaussianNoise(torch.tensor([0.02, 0.1, 0.05]))
    y = simulate(whole, prior.sample(3, 3), noise, 1)
    options = {"method": "matched_spectrum", "steps": 3, "samples": 2, "seed": 0}
    expected = reconstruct(InverseProblem(whole, y, noise), prior, **options).samples
    found = reconstruct(InverseProblem(flat, y.flatten(1), noise), prior, **options).samples
    torch.testing.assert_close(found, expected)
