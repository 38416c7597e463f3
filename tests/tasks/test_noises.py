"""The noise that a command line declares, and the problems that it makes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import stats

from invscore import GaussianNoise, GaussianPrior, InverseProblem, PoissonNoise, exact_posterior
from invscore.noise import (
    Noise,
    PoissonGaussianNoise,
    RicianNoise,
    SpeckleNoise,
    TransmissionNoise,
)
from invscore.operators import MRI, HighDynamicRange, Identity, Inpainting
from invscore.tasks.measured import measured_task, task_of_measurement
from invscore.tasks.noise_files import read_noise_map
from invscore.tasks.noise_laws import law_of, simulated
from invscore.tasks.noises import (
    Law,
    NoiseMap,
    Poisson,
    PoissonGaussian,
    Rician,
    Speckle,
    Transmission,
    parse_declared,
)
from invscore.tasks.specs import Spec
from invscore.tasks.task import task_of_image

SHAPE = (1, 4, 5)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0.01", 0.01),
        ("1e-3", 0.001),
        ("gaussian(sigma=0.02)", 0.02),
        ("poisson(photons=200)", Poisson(200)),
        (" poisson( photons = 200, dark=2 ) ", Poisson(200, 2)),
        ("poisson(photons=200, background=sky.npy)", Poisson(200, background="sky.npy")),
        ("poisson-gaussian(photons=200, sigma=0.02)", PoissonGaussian(200, 0.02)),
        ("transmission", Transmission()),
        ("transmission(photons=1e4, background=5)", Transmission(1e4, 5)),
        ("rician(sigma=0.1)", Rician(0.1)),
        ("speckle(looks=4)", Speckle(4)),
        ("map.npy", NoiseMap("map.npy")),
        ("nights (2)/map.npy", NoiseMap("nights (2)/map.npy")),
        ("map(file=night.fits, key=ERR)", NoiseMap("night.fits", "ERR")),
        ("map(file=w.npy, kind=weights)", NoiseMap("w.npy", None, "weights")),
    ],
)
def test_words(text: str, expected: object) -> None:
    said = parse_declared(text)
    assert said == expected
    if not isinstance(said, float):
        assert parse_declared(str(said)) == said


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("loud", "`noise` must be auto, a standard deviation from 0, gaussian.*got 'loud'"),
        ("poison(photons=3)", "did you mean 'poisson'?"),
        ("poisson", r"noise 'poisson' needs photons: for example 'poisson\(photons=...\)'"),
        ("poisson-gaussian(photons=3)", r"needs sigma: .* 'poisson-gaussian\(photons=..., sigma="),
        ("poisson-gauss(photons=3)", "did you mean 'poisson-gaussian'?"),
        ("transmission(photons=0)", r"`photons` must lie in \(0, .*got 0"),
        ("speckle(looks=-1)", r"`looks` must lie in \(0, .*got -1"),
        ("poisson(photons=0)", r"`photons` must lie in \(0, .*got 0"),
        ("poisson(photons=many)", "`photons` must be a number, got 'many'"),
        ("poisson(photons=9, gain=2)", "noise 'poisson' has no option 'gain': it has photons"),
        ("gaussian(sigma=-1)", r"`sigma` must lie in \[0, .*got -1"),
        ("map(key=ERR)", "noise 'map' needs file"),
        ("map(file=a.npy, kind=sigma)", "`kind` must be std, variance, weights or none"),
    ],
)
def test_words_that_say_none(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_declared(text)


def saved(folder: Path, values: np.ndarray) -> NoiseMap:
    np.save(folder / "map.npy", values)
    return NoiseMap(str(folder / "map.npy"))


def test_a_map_weights_each_number(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    deviation = rng.uniform(0.1, 2.0, SHAPE[1:])
    deviation[0, :3] = [np.nan, np.inf, 0]
    y = torch.from_numpy(rng.standard_normal(SHAPE))
    y[0, 0, 0] = torch.nan
    task = task_of_measurement(Spec("denoise"), y, noise=saved(tmp_path, deviation))
    prior = GaussianPrior(torch.full(SHAPE, 0.3, dtype=torch.float64), 0.5)
    finite = np.isfinite(deviation) & (deviation > 0)
    weights = np.where(finite, np.where(finite, deviation, 1) ** -2.0, 0)
    precision = 1 / 0.5 + weights
    expected = (0.3 / 0.5 + weights * np.nan_to_num(y.numpy())) / precision
    found = exact_posterior(task.problem, prior)
    np.testing.assert_allclose(found.mean.reshape(SHAPE).numpy(), expected, rtol=1e-6)
    assert task.assumed == (
        "noise map: 3 of 20 numbers have no finite deviation above 0, not measured",
    )
    expected_y = y.nan_to_num().float()
    expected_y[0, 0, :3] = 0
    torch.testing.assert_close(task.in_units.y[0], expected_y)


def test_simulations_have_the_noise_of_the_map(tmp_path: Path) -> None:
    deviation = np.linspace(0, 3, 64 * 64).reshape(64, 64)
    mask = torch.ones(64, 64, dtype=torch.bool)
    mask[:, ::2] = False
    operator = Inpainting(mask, (1, 64, 64))
    x = torch.rand(1, 1, 64, 64)
    law = law_of(saved(tmp_path, deviation), operator)
    y = simulated(operator, x, law, seed=3)
    assert bool((y[..., ~mask] == 0).all())
    seen = mask & (torch.from_numpy(deviation) > 0)
    ratio = ((y - x)[0, 0] / torch.from_numpy(deviation))[seen]
    count = len(ratio)
    assert abs(float(ratio.mean())) < 4 / count**0.5
    assert abs(float(ratio.square().mean()) - 1) < 4 * (2 / count) ** 0.5


def test_counts() -> None:
    law = law_of(Poisson(200, 2), Identity(SHAPE))
    assert law == PoissonNoise(200, 2)
    task = task_of_image(
        Spec("denoise"), torch.rand(SHAPE), noise=Poisson(200), seed=0, device="cpu"
    )
    counts = 200 * task.problem.y
    torch.testing.assert_close(counts, counts.round())
    assert isinstance(law_of(0.1, Identity(SHAPE)), GaussianNoise)


@pytest.mark.parametrize("shape", [(3, 4, 5), (4, 5, 3), (4, 5)])
def test_layouts(shape: tuple[int, ...], tmp_path: Path) -> None:
    values = np.random.default_rng(1).uniform(0.5, 1, shape).astype(np.float32)
    found = read_noise_map(saved(tmp_path, values), (3, 4, 5)).numpy()
    layout = {(3, 4, 5): values, (4, 5, 3): np.moveaxis(values, -1, 0)}
    np.testing.assert_array_equal(found, layout.get(shape, np.stack([values] * 3)))


def test_a_key_of_a_file(tmp_path: Path) -> None:
    fits = pytest.importorskip("astropy.io.fits")
    units = [fits.PrimaryHDU(np.zeros((4, 5))), fits.ImageHDU(np.full((4, 5), 0.5), name="ERR")]
    fits.HDUList(units).writeto(tmp_path / "night.fits")
    found = read_noise_map(NoiseMap(str(tmp_path / "night.fits"), "ERR"), SHAPE)
    torch.testing.assert_close(found, torch.full(SHAPE, 0.5, dtype=torch.float64))


def test_variances_and_weights(tmp_path: Path) -> None:
    """By the name of their array, or as declared; no weight is no measurement."""
    values = np.linspace(0, 4, 20).reshape(4, 5)
    path = str(tmp_path / "maps.npz")
    np.savez(path, VAR=values, ivar=values, err=values)
    with np.errstate(divide="ignore"):
        expected = {"VAR": values**0.5, "ivar": values**-0.5, "err": values}
    for key, deviations in expected.items():
        np.testing.assert_allclose(
            read_noise_map(NoiseMap(path, key), SHAPE)[0].numpy(), deviations
        )
    told = read_noise_map(NoiseMap(path, "err", "variance"), SHAPE)[0].numpy()
    np.testing.assert_allclose(told, values**0.5)
    np.savez(path, VAR=-values)
    with pytest.raises(ValueError, match="must hold variances from 0, got -4"):
        read_noise_map(NoiseMap(path, "VAR"), SHAPE)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.ones((5, 4)), r"must have the measurement's shape \(1, 4, 5\), got \(5, 4\)"),
        (np.ones(5), r"must have the measurement's shape \(1, 4, 5\), got \(5,\)"),
        (np.full((4, 5), -0.5), "must hold standard deviations from 0, got -0.5"),
        (np.full((4, 5), np.nan), "must hold a positive finite standard deviation somewhere"),
        (np.zeros((4, 5)), "must hold a positive finite standard deviation somewhere"),
        (np.ones((4, 5), complex), "must hold real numbers, got complex128"),
    ],
)
def test_maps_that_are_none(values: np.ndarray, message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=message):
        read_noise_map(saved(tmp_path, values), SHAPE)


def test_operators_that_a_law_does_not_serve(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="`noise` must be one number for a nonlinear operator"):
        law_of(saved(tmp_path, np.ones((4, 5))), HighDynamicRange(SHAPE))
    with pytest.raises(ValueError, match="`noise` must be Gaussian for complex measurements"):
        law_of(Poisson(3), MRI.random((1, 16, 16)))
    with pytest.raises(ValueError, match=r"noise map .*no\.npy.*no such file"):
        law_of(NoiseMap("no.npy"), Identity(SHAPE))


@pytest.mark.parametrize(
    ("declared", "law"),
    [
        (PoissonGaussian(20, 0.1), PoissonGaussianNoise(20, sigma=0.1)),
        (Transmission(50, 2), TransmissionNoise(50, 2)),
        (Rician(0.2), RicianNoise(0.2)),
        (Speckle(3), SpeckleNoise(3)),
    ],
)
def test_laws(declared: Law, law: Noise) -> None:
    assert law_of(declared, Identity(SHAPE)) == law
    task = task_of_image(Spec("denoise"), torch.rand(SHAPE), noise=declared, seed=0, device="cpu")
    assert task.problem.noise == law
    assert 0.3 < float(task.problem.discrepancy(task.truth)) < 2
    with pytest.raises(ValueError, match="`noise` must be Gaussian for complex measurements"):
        law_of(declared, MRI.random((1, 16, 16)))


def test_backgrounds_are_taken_off(tmp_path: Path) -> None:
    sky = np.linspace(0, 30, 20, dtype=np.float32).reshape(4, 5)
    np.save(tmp_path / "sky.npy", sky)
    counts = torch.from_numpy(np.random.default_rng(0).poisson(40 + sky).astype(np.float32))
    declared = Poisson(10, background=str(tmp_path / "sky.npy"))
    task = task_of_measurement(Spec("denoise"), counts / 10, noise=declared)
    assert "the background is taken off the measurement" in task.assumed
    torch.testing.assert_close(task.problem.y[0, 0], (counts - torch.from_numpy(sky)) / 10)
    expected = stats.poisson.logpmf(counts.numpy(), 40 + sky).sum() + 20 * np.log(10)
    found = task.problem.log_likelihood(torch.full((1, *SHAPE), 4.0))
    assert float(found) == pytest.approx(expected, rel=1e-5)
    np.save(tmp_path / "sky.npy", -sky)
    with pytest.raises(ValueError, match=r"background .* must hold finite counts from 0, got -30"):
        task_of_measurement(Spec("denoise"), counts / 10, noise=declared)


def test_transmission_takes_the_logarithm_of_counts() -> None:
    counts = torch.tensor([[0.0, 3.0], [20.0, 100.0]])
    task = task_of_measurement(Spec("denoise"), counts, noise=Transmission(100, 1))
    found = task.problem.log_likelihood(torch.full((1, 1, 2, 2), 0.7))
    rate = 100 * np.exp(-0.7) + 1
    cells = np.maximum(counts.numpy() - 1, 0.5)
    expected = (stats.poisson.logpmf(counts.numpy(), rate) + np.log(cells)).sum()
    assert float(found) == pytest.approx(expected, rel=1e-5)
    with pytest.raises(ValueError, match=r"must hold counts from 0 for noise .*got -1"):
        task_of_measurement(Spec("denoise"), counts - 1, noise=Transmission(100))
    with pytest.raises(ValueError, match="noise 'transmission' needs photons"):
        task_of_measurement(Spec("denoise"), counts, noise=Transmission())


def test_whole_numbers_in_files_are_counts(tmp_path: Path) -> None:
    tifffile = pytest.importorskip("tifffile")
    counts = np.random.default_rng(0).poisson(40, (32, 32)).astype(np.uint16)
    file = str(tmp_path / "counts.tif")
    tifffile.imwrite(file, counts)

    def made(noise: Law) -> InverseProblem:
        return measured_task(Spec("denoise"), file, shape=None, noise=noise, device="cpu").problem

    counted = torch.from_numpy(counts.astype(np.float32))
    for noise in (Poisson(1), PoissonGaussian(1, 2.0)):
        law = made(noise).noise
        assert isinstance(law, PoissonNoise)
        torch.testing.assert_close(law.photons * made(noise).y[0, 0], counted)
    assert law == PoissonGaussianNoise(65535.0, sigma=2 / 65535)
    law = made(Transmission(100)).noise
    assert isinstance(law, TransmissionNoise)
    torch.testing.assert_close(law.counts(made(Transmission(100)).y)[0, 0], counted)
    with pytest.raises(ValueError, match=r"needs photons, as .*counts\.tif' has no white fields"):
        made(Transmission())


OWN = """
from invscore.noise import GaussianNoise, Noise
exact, seven = GaussianNoise(0.25), 7
class Half(Noise):
    def sample(self, clean, rng):
        return clean
class Single(GaussianNoise):
    def sample(self, clean, rng):
        return super().sample(clean, rng).double()
class Plain(GaussianNoise):
    def variance(self, clean):
        return self.sigma**2
def none():
    pass
"""


@pytest.fixture
def own(tmp_path: Path) -> str:
    """A file of laws, in a folder with brackets."""
    folder = tmp_path / "nights (2)"
    folder.mkdir()
    (folder / "mine.py").write_text(OWN, encoding="utf-8")
    return str(folder / "mine.py")


@pytest.mark.parametrize(
    "said", ["GaussianNoise(sigma=0.25)", "GaussianNoise ( sigma = 0.25 ) ", "exact"]
)
def test_laws_of_ones_own(own: str, said: str) -> None:
    declared = parse_declared(f"{own}:{said}")
    assert parse_declared(str(declared)) == declared
    assert law_of(declared, Identity(SHAPE)) == GaussianNoise(0.25)
    task = task_of_image(Spec("denoise"), torch.rand(SHAPE), noise=declared, seed=0, device="cpu")
    assert task.problem.noise == GaussianNoise(0.25)


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ("Half", "'Half' in .* is a law of noise without kurtosis, log_likelihood, scaled, var"),
        (
            "Single(sigma=1)",
            "does not keep the contract: dtype .*must be float32, got torch.float6",
        ),
        ("Plain(sigma=2)", r"variance .*clean.new_tensor\(4\) for one number, got an int"),
        ("GaussianNoise", "'GaussianNoise' in .* needs sigma: give sigma=..."),
        ("GaussianNoise(sigm=1)", "has no option 'sigm': it has sigma; did you mean 'sigma'"),
        ("exact(sigma=1)", "'exact' in .* is an instance: it takes no options"),
        ("seven", "'seven' in .* must be a Noise, or a class or function that makes one, got an i"),
        ("none", "'none' in .* must give a Noise, got None"),
        ("missing", "defines no 'missing'"),
    ],
)
def test_faults_of_laws_of_ones_own(own: str, said: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        law_of(parse_declared(f"{own}:{said}"), Identity(SHAPE))
