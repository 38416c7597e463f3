"""The noise that a command line declares, and the problems that it makes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from invscore import GaussianNoise, GaussianPrior, PoissonNoise, exact_posterior
from invscore.operators import MRI, HighDynamicRange, Identity, Inpainting
from invscore.tasks.measured import task_of_measurement
from invscore.tasks.noises import NoiseMap, Poisson, parse_declared
from invscore.tasks.noisy import law_of, simulated
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
    found = saved(tmp_path, values).read((3, 4, 5)).numpy()
    layout = {(3, 4, 5): values, (4, 5, 3): np.moveaxis(values, -1, 0)}
    np.testing.assert_array_equal(found, layout.get(shape, np.stack([values] * 3)))


def test_a_key_of_a_file(tmp_path: Path) -> None:
    fits = pytest.importorskip("astropy.io.fits")
    units = [fits.PrimaryHDU(np.zeros((4, 5))), fits.ImageHDU(np.full((4, 5), 0.5), name="ERR")]
    fits.HDUList(units).writeto(tmp_path / "night.fits")
    found = NoiseMap(str(tmp_path / "night.fits"), "ERR").read(SHAPE)
    torch.testing.assert_close(found, torch.full(SHAPE, 0.5, dtype=torch.float64))


def test_variances_and_weights(tmp_path: Path) -> None:
    """By the name of their array, or as declared; no weight is no measurement."""
    values = np.linspace(0, 4, 20).reshape(4, 5)
    path = str(tmp_path / "maps.npz")
    np.savez(path, VAR=values, ivar=values, err=values)
    with np.errstate(divide="ignore"):
        expected = {"VAR": values**0.5, "ivar": values**-0.5, "err": values}
    for key, deviations in expected.items():
        np.testing.assert_allclose(NoiseMap(path, key).read(SHAPE)[0].numpy(), deviations)
    told = NoiseMap(path, "err", "variance").read(SHAPE)[0].numpy()
    np.testing.assert_allclose(told, values**0.5)
    np.savez(path, VAR=-values)
    with pytest.raises(ValueError, match="must hold variances from 0, got -4"):
        NoiseMap(path, "VAR").read(SHAPE)


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
        saved(tmp_path, values).read(SHAPE)


def test_operators_that_a_law_does_not_serve(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="`noise` must be one number for a nonlinear operator"):
        law_of(saved(tmp_path, np.ones((4, 5))), HighDynamicRange(SHAPE))
    with pytest.raises(ValueError, match="`noise` must be Gaussian for complex measurements"):
        law_of(Poisson(3), MRI.random((1, 16, 16)))
    with pytest.raises(ValueError, match=r"noise map .*no\.npy.*no such file"):
        law_of(NoiseMap("no.npy"), Identity(SHAPE))
