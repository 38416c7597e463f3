"""The driver: scale, trace, counts, refusals. What every method promises is tested beside them."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
import torch

from invscore import GaussianNoise, GaussianPrior, InverseProblem, Prior, reconstruct
from invscore.driver import NumericalError
from invscore.methods import METHODS, MethodInfo, Step
from invscore.methods.base import RESERVED, register
from invscore.operators import Blur, from_function, from_matrix
from invscore.rng import SampleRNG
from invscore.uncertainty import moderated

SHAPE = (1, 8, 8)


def images(peak: float | None = 1.0) -> GaussianPrior:
    """Smooth images with values around [0, 1]."""
    place = torch.cartesian_prod(torch.arange(8.0), torch.arange(8.0)).double()
    covariance = 0.04 * torch.exp(-(torch.cdist(place, place) ** 2) / 8)
    covariance += 1e-4 * torch.eye(64, dtype=torch.float64)
    prior = GaussianPrior(torch.full(SHAPE, 0.5, dtype=torch.float64), covariance)
    prior.peak = peak
    return prior


def blurred(count: int = 1, unit: float = 1.0, sigma: float = 0.02) -> InverseProblem:
    operator = Blur.gaussian(sigma=0.6, in_shape=SHAPE)
    truth = images().sample(count, 3).clamp(0, 1)
    noise = torch.randn(truth.shape, generator=torch.Generator().manual_seed(4)).double()
    return InverseProblem(
        operator, unit * (operator(truth) + sigma * noise), GaussianNoise(unit * sigma)
    )


@pytest.fixture
def method(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Enter a method for one test."""

    def enter(run: Any) -> str:
        monkeypatch.setitem(
            METHODS, "mine", MethodInfo("mine", run, False, "?", (), "1", "0", "nobody")
        )
        return "mine"

    return enter


@pytest.mark.parametrize("unit", [255.0, 4095.0, 1e-3])
def test_measurements_in_other_units(unit: float) -> None:
    plain = reconstruct(blurred(), images(), method="diffpir", steps=8)
    assert plain.scale == 1.0
    large = reconstruct(blurred(unit=unit), images(), method="diffpir", steps=8)
    assert 0.5 * unit < large.scale < 1.2 * unit
    error = (large.samples / unit - plain.samples).abs().max()
    assert error < 0.1, "the prior's grid of gray values is stretched a little, no more"
    assert large.trace["sigma"][0] / plain.trace["sigma"][0] == pytest.approx(large.scale)
    assert large.trace["discrepancy"][-1] == pytest.approx(plain.trace["discrepancy"][-1], rel=0.3)

    given = reconstruct(blurred(unit=unit), images(), method="diffpir", steps=8, scale=unit)
    assert given.scale == unit
    torch.testing.assert_close(given.samples / unit, plain.samples, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(given.residual, plain.residual)


def test_scale_is_left_alone_where_it_has_no_meaning() -> None:
    absolute = reconstruct(blurred(unit=255.0), images(peak=None), method="diffpir", steps=4)
    assert absolute.scale == 1.0
    square = from_function(lambda x: x**2, SHAPE, linear=False)
    nonlinear = InverseProblem(square, blurred(unit=255.0).y, GaussianNoise(5.0))
    assert reconstruct(nonlinear, images(), method="dps", steps=4).scale == 1.0


def test_gain_of_the_operator_is_not_a_scale() -> None:
    problem = blurred()
    operator = 255.0 * problem.operator
    loud = InverseProblem(operator, 255 * problem.y, problem.noise.scaled(255.0))
    plain = reconstruct(problem, images(), method="diffpir", steps=8)
    result = reconstruct(loud, images(), method="diffpir", steps=8)
    assert result.scale == 1.0
    torch.testing.assert_close(result.samples, plain.samples, rtol=1e-6, atol=1e-6)


def test_result() -> None:
    result = reconstruct(blurred(3), images(), method="diffpir", samples=4, steps=9, seed=5)
    assert result.samples.shape == (4, 3, *SHAPE)
    assert result.samples.dtype == torch.float64
    torch.testing.assert_close(result.mean, result.samples.mean(0))
    torch.testing.assert_close(result.std**2, moderated(result.samples, paired=False).variance)
    ratio = result.std.square().mean() / result.samples.var(0).mean()
    assert float(ratio) == pytest.approx(1)
    assert (result.method, result.seed, result.options["steps"]) == ("diffpir", 5, 9)
    assert result.seconds > 0
    single = reconstruct(blurred(), images(), method="diffpir", steps=3)
    assert torch.equal(single.std, torch.zeros(1, *SHAPE, dtype=torch.float64))


def test_std_of_complex_samples() -> None:
    result = reconstruct(blurred(), images(), method="diffpir", samples=3, steps=3)
    turned = type(result)(**{**vars(result), "samples": (1 + 2j) * result.samples})
    # Twice as many numbers tell a little more of how alike variances of neighbours are.
    torch.testing.assert_close(turned.std, 5**0.5 * result.std, rtol=0.05, atol=0.0)


@pytest.mark.parametrize("batch_size", [None, 1, 4])
def test_trace(batch_size: int | None) -> None:
    told: list[tuple[int, int]] = []
    result = reconstruct(
        blurred(2), images(), method="diffpir", samples=3, steps=12, batch_size=batch_size,
        on_step=lambda done, total: told.append((done, total)),
    )  # fmt: skip
    chunks = {None: 1, 1: 6, 4: 2}[batch_size]
    assert told == [(k, 12 * chunks) for k in range(1, 12 * chunks + 1)]
    assert len(result.trace["sigma"]) == len(result.trace["discrepancy"]) == 12
    assert all(sigma >= lower for sigma, lower in pairwise(result.trace["sigma"]))
    whole = reconstruct(blurred(2), images(), method="diffpir", samples=3, steps=12)
    for name, values in result.trace.items():
        assert values == pytest.approx(whole.trace[name], rel=1e-9)
    # The denoised image explains the data up to the noise, at the end.
    assert 0.5 < result.trace["discrepancy"][-1] < 1.5


@pytest.mark.parametrize("batch_size", [None, 1, 4])
def test_what_steps_tell_is_in_the_trace(method: Any, batch_size: int | None) -> None:
    def run(
        problem: InverseProblem,
        prior: Prior,  # noqa: ARG001
        rng: SampleRNG,
        *,
        steps: int = 3,
    ) -> Iterator[Step]:
        image = torch.tensor([float(key[1]) for key in rng.keys], dtype=torch.float64)
        for k in range(steps):
            own = {"cg_iterations": k} if k else {}
            yield Step(problem.y, problem.y, 1.0, {"acceptance": image, **own})

    result = reconstruct(
        blurred(2), images(), method=method(run), samples=3, batch_size=batch_size, steps=3
    )
    assert result.trace["acceptance"] == pytest.approx(3 * [0.5])
    assert result.trace["cg_iterations"] == pytest.approx([float("nan"), 1, 2], nan_ok=True)


@pytest.mark.parametrize("batch_size", [None, 1, 4, 5])
def test_counts_are_of_one_sample(method: Any, batch_size: int | None) -> None:
    def run(
        problem: InverseProblem, prior: Prior, rng: SampleRNG, *, steps: int = 5
    ) -> Iterator[Step]:
        x = rng.normal_like(problem.y)
        for _ in range(steps):
            prior.score(x, 1.0)
            assert prior.has_density
            prior.log_density(x, 1.0)
            x = prior.denoise(x, 1.0)
            denoised, pull = prior.pullback(x, 1.0)
            yield Step(x + pull(denoised) + pull(denoised), denoised, 1.0)

    result = reconstruct(
        blurred(2), images(), method=method(run), samples=3, batch_size=batch_size, steps=4
    )
    assert result.evaluations == pytest.approx(16)
    assert result.jacobian_products == pytest.approx(8)


@pytest.mark.parametrize("bad", [1, 2, 7, 12])
def test_numerical_error(method: Any, bad: int) -> None:
    def run(
        problem: InverseProblem,
        prior: Prior,  # noqa: ARG001
        rng: SampleRNG,  # noqa: ARG001
        *,
        steps: int = 12,
    ) -> Iterator[Step]:
        x = problem.y.clone()
        for k in range(1, steps + 1):
            if k == bad:
                x[0, 0, 3, 3] = float("inf")
            yield Step(x, x, 1.0)

    with pytest.raises(NumericalError, match=r"'mine' diverged: NaN or infinity by step \d+") as e:
        reconstruct(blurred(), images(), method=method(run))
    named = int(str(e.value).split("by step ")[1].split(";")[0])
    assert bad <= named < bad + 10


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (lambda y: y, "must yield Step(x, denoised, sigma), got a Tensor"),
        (lambda y: Step(y[0], y, 1.0), "`x` is a tensor of shape (2, 1, 8, 8), got (1, 8, 8)"),
        (lambda y: Step(y, 0.0, 1.0), "`denoised` is a tensor of shape (2, 1, 8, 8), got a float"),
        (None, "must yield a Step at least once, got none"),
    ],
)
def test_what_a_method_must_yield(method: Any, made: Any, message: str) -> None:
    def run(problem: InverseProblem, prior: Prior, rng: SampleRNG, *, steps: int = 3) -> Any:  # noqa: ARG001
        for _ in range(steps if made else 0):
            yield made(problem.y)

    with pytest.raises(ValueError, match=re.escape("the method 'mine' must yield")) as error:
        reconstruct(blurred(2), images(), method=method(run))
    assert message in str(error.value)


def test_what_a_method_must_take(method: Any) -> None:
    def two(problem: InverseProblem, prior: Prior, *, steps: int = 3) -> Any:  # noqa: ARG001
        yield Step(problem.y, problem.y, 1.0)

    def endless(problem: InverseProblem, prior: Prior, rng: SampleRNG) -> Any:  # noqa: ARG001
        yield Step(problem.y, problem.y, 1.0)

    def swapped(prior: Prior, problem: InverseProblem, rng: SampleRNG, *, steps: int = 3) -> Any:  # noqa: ARG001
        yield Step(problem.y, problem.y, 1.0)

    def called_otherwise(p: InverseProblem, d: Prior, r: SampleRNG, *, steps: int = 3) -> Any:  # noqa: ARG001
        yield Step(p.y, p.y, 1.0)

    for wrong in (two, swapped):
        with pytest.raises(ValueError, match=r"must take \(problem, prior, rng, \*, steps=...\)"):
            method(wrong)
    method(called_otherwise)
    with pytest.raises(ValueError, match="must have an option steps with a default"):
        method(endless)


def test_no_gradient_is_kept() -> None:
    problem = blurred()
    leaky = InverseProblem(problem.operator, problem.y.requires_grad_(), problem.noise)
    assert not reconstruct(leaky, images(), method="dps", steps=3).samples.requires_grad


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"samples": 0}, "`samples` must be at least 1, got 0"),
        ({"seed": -1}, "`seed` must be at least 0, got -1"),
        ({"batch_size": 0}, "`batch_size` must be at least 1, got 0"),
        ({"scale": 0.0}, "`scale` must be a positive number or 'auto', got 0.0"),
        ({"scale": -2.0}, "`scale` must be a positive number or 'auto', got -2.0"),
        ({"scale": float("nan")}, "`scale` must be a positive number or 'auto', got nan"),
        ({"method": "dsp"}, "unknown method 'dsp'"),
        ({"stpes": 3}, "has no option 'stpes'"),
        ({"steps": 0}, "`steps` must lie in [1, 1000000], got 0"),
    ],
)
def test_refusals(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        reconstruct(blurred(), images(), **options)


def test_single_precision_stays_single() -> None:
    operator = from_matrix(torch.eye(4), in_shape=(1, 2, 2))
    prior = GaussianPrior(torch.zeros(1, 2, 2), 0.5)
    problem = InverseProblem(operator, torch.ones(1, 4), GaussianNoise(0.1))
    result = reconstruct(problem, prior, method="dps", steps=3)
    assert result.samples.dtype == torch.float32
    assert result.samples.shape == (1, 1, 1, 2, 2)


def test_what_does_not_fit_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match=r"would need .* TB of memory, .* are free: fewer "):
        reconstruct(blurred(), images(), method="diffpir", samples=10**12)


def test_no_option_of_a_method_is_hidden_by_an_argument() -> None:
    assert inspect.signature(reconstruct).parameters.keys() == RESERVED
    enter = register("own", exact=False, law="point estimate", cites="here")

    def own(problem: Any, prior: Any, rng: Any, *, steps: int = 1, probes: int = 2) -> Any:
        yield problem, prior, rng, steps, probes

    with pytest.raises(ValueError, match=r"'own' must have other names than .*, got probes"):
        enter(own)
    assert "own" not in METHODS
