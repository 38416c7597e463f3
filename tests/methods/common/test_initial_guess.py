"""The initial guess of images: the posterior mean of a field with a power-law spectrum."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from invscore.exact import exact_posterior
from invscore.likelihood import GaussianNoise, InverseProblem, PoissonNoise, simulate
from invscore.methods import METHODS
from invscore.methods.common.initial_guess import initial_guess
from invscore.methods.gaussian_field import first_guess
from invscore.methods.gaussian_field.power_law import EXPONENT
from invscore.operators import MRI, Blur, Identity, Inpainting, LinearOperator, SuperResolution
from invscore.priors import GaussianPrior, StationaryGaussianPrior
from invscore.rng import SampleRNG

F64 = torch.float64
SHAPE = (1, 16, 12)
NOISE = GaussianNoise(0.1)
OPERATORS = {
    "blur": Blur.gaussian(1.5, SHAPE),
    "box": Inpainting.box(SHAPE, (6, 6), (4, 3)),
    "superresolution": 2 * SuperResolution(2, SHAPE),  # itself in cosines: `test_decimated`
}


def field(exponent: float) -> StationaryGaussianPrior:
    return StationaryGaussianPrior.power_law(
        SHAPE, exponent=exponent, variance=0.09, mean=0.4, dtype=F64
    )


@pytest.mark.parametrize("kind", OPERATORS)
def test_images_begin_at_the_posterior_mean_of_a_field(kind: str) -> None:
    """Of the prior, only mean and variance are used: another one with the same begins there too."""
    operator = OPERATORS[kind]
    y = simulate(operator, field(2.0).sample(1, 0), NOISE, 1)
    problem = InverseProblem(operator, y, NOISE)
    guess = initial_guess(problem, field(2.0), 0.0, SampleRNG([(0,)]))
    exact = exact_posterior(problem, field(EXPONENT))
    torch.testing.assert_close(guess[0], exact.mean, rtol=0, atol=1e-5)


def test_a_hole_is_filled_from_around_it() -> None:
    """A white prior would leave its mean, 0.4, where nothing was seen of an image of 0.8."""
    problem = InverseProblem(OPERATORS["box"], torch.full((1, *SHAPE), 0.8, dtype=F64), NOISE)
    guess = initial_guess(problem, field(2.0), 0.0, SampleRNG([(0,)]))
    assert float((guess - 0.8).abs().max()) < 0.12


def test_an_image_of_one_pixel() -> None:
    """Its mean and its variance over pixels are known as well as can be: no NaN."""
    problem = InverseProblem(Identity((1, 1, 1)), torch.full((1, 1, 1, 1), 0.7, dtype=F64), NOISE)
    prior = GaussianPrior(torch.full((1, 1, 1), 0.4, dtype=F64), 0.09)
    guess = initial_guess(problem, prior, 0.0, SampleRNG([(0,)]))
    assert 0.4 < float(guess) <= 0.7


def test_complex_images_begin_there_too() -> None:
    """Of lines that show a real image of them real, and of one turned by 90 degrees, turned."""
    operator = MRI(torch.ones(16, 12, dtype=torch.bool))
    prior = StationaryGaussianPrior.power_law(SHAPE, variance=0.09, dtype=F64)
    x = prior.sample(1, 0) + 0j
    real = InverseProblem(operator, operator(x), NOISE)
    turned = InverseProblem(operator, operator(1j * x), NOISE)
    guess, other = (initial_guess(p, prior, 0.0, SampleRNG([(0,)])) for p in (real, turned))
    torch.testing.assert_close(1j * guess, other, rtol=0, atol=1e-5)
    plain = InverseProblem(Identity(SHAPE), x.real, NOISE)
    same = initial_guess(plain, prior, 0.0, SampleRNG([(0,)]))
    torch.testing.assert_close(guess.real, same, rtol=0, atol=1e-5)


def test_photons_count_by_their_variance() -> None:
    """Noise of the variance that the mean image implies, mean / photons."""
    operator = Identity(SHAPE)
    problem = InverseProblem(operator, torch.full((1, *SHAPE), 0.6, dtype=F64), PoissonNoise(50.0))
    guess = initial_guess(problem, field(2.0), 0.0, SampleRNG([(0,)]))
    same = InverseProblem(operator, problem.y, GaussianNoise((0.4 / 50.0) ** 0.5))
    torch.testing.assert_close(guess, initial_guess(same, field(2.0), 0.0, SampleRNG([(0,)])))


def test_noise_has_the_level_asked_for() -> None:
    operator: LinearOperator = OPERATORS["blur"]
    y = simulate(operator, field(2.0).sample(1, 0), NOISE, 1).expand(200, *SHAPE)
    problem = InverseProblem(operator, y, NOISE)
    found = initial_guess(problem, field(2.0), 0.7, SampleRNG([(k,) for k in range(200)]))
    guess = initial_guess(problem, field(2.0), 0.0, SampleRNG([(k,) for k in range(200)]))
    noise = found - guess
    count = noise.numel()
    assert abs(float(noise.std()) / 0.7 - 1) < 5 / (2 * count) ** 0.5
    assert abs(float(noise.mean())) < 5 * 0.7 / count**0.5


def test_from_noise_nothing_is_known_of_the_measurement() -> None:
    """``N(m, v + sigma^2)``: four standard errors of 200 x 64 numbers, whatever y is."""
    prior, sigma = GaussianPrior(torch.full((1, 8, 8), 0.7, dtype=F64), 0.5), 2.0
    operator = Identity((1, 8, 8))
    streams = [SampleRNG([(k,) for k in range(200)]) for _ in range(2)]
    ys = torch.zeros(200, 1, 8, 8, dtype=F64), torch.ones(200, 1, 8, 8, dtype=F64)
    problems = [InverseProblem(operator, y, GaussianNoise(0.1)) for y in ys]
    x, other = (
        initial_guess(problem, prior, sigma, rng, "noise")
        for problem, rng in zip(problems, streams, strict=True)
    )
    assert torch.equal(x, other)
    expected, count = prior.variance + sigma**2, x.numel()
    assert float(x.mean()) == pytest.approx(0.7, abs=4 * (expected / count) ** 0.5)
    assert float(x.var()) == pytest.approx(expected, rel=4 * (2 / count) ** 0.5)


FROM_NOISE = sorted(name for name, info in METHODS.items() if "initial" in info.defaults)


@pytest.mark.parametrize("name", FROM_NOISE)
def test_methods_start_where_they_are_told(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Guessed(Exception):
        pass

    def guess(*_: object) -> torch.Tensor:
        raise Guessed

    monkeypatch.setattr(first_guess, "posterior_mean", guess)
    prior = GaussianPrior(torch.full((1, 4, 4), 0.5, dtype=F64), 0.04)
    y = torch.full((1, 1, 4, 4), 0.9, dtype=F64)
    problem = InverseProblem(Identity((1, 4, 4)), y, GaussianNoise(0.1))
    states = [
        METHODS[name].run(problem, prior, SampleRNG([(0,)]), steps=4, initial=initial)
        for initial in ("guess", "noise")
    ]
    with pytest.raises(Guessed):
        next(iter(states[0]))
    assert next(iter(states[1])).x.isfinite().all()


ALONE = """
import sys, types

import torch

from invscore import GaussianNoise, GaussianPrior, InverseProblem
from invscore.operators import Identity
from invscore.rng import SampleRNG

where = sys.modules["invscore"].__path__[0]
package = types.ModuleType("invscore.methods")  # which lists, and so loads, all methods
package.__path__ = [f"{where}/methods"]
sys.modules[package.__name__] = package
from invscore.methods.dps import dps

prior = GaussianPrior(torch.full((1, 4, 4), 0.5), 0.04)
problem = InverseProblem(Identity((1, 4, 4)), torch.ones(1, 1, 4, 4), GaussianNoise(0.1))
step = next(dps(problem, prior, SampleRNG([(0,)]), steps=2, initial="noise"))
assert step.x.isfinite().all()
print(*(name for name in sys.modules if name.startswith("invscore.methods.")))
"""


def test_a_method_that_starts_from_noise_needs_no_field() -> None:
    """What DPS loads by itself, in a process of its own."""
    done = subprocess.run([sys.executable, "-c", ALONE], capture_output=True, text=True)
    assert done.stderr == ""
    loaded = {name.removeprefix("invscore.methods.") for name in done.stdout.split()}
    common = {"common", "common.initial_guess", "common.tempering"}
    assert loaded == {"dps", "base", *common}


def test_how_many_may_start_from_noise() -> None:
    assert {"dps", "diffpir", "pigdm", "langevin", "map", "hqs"} <= set(FROM_NOISE)
    assert len(FROM_NOISE) >= 21
