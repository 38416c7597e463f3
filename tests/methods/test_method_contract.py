"""What every method promises, whatever it does."""

from __future__ import annotations

import inspect
import math

import pytest
import torch
from torch import Tensor

from invscore import Prior, reconstruct
from invscore.batches import PerImage, per_image
from invscore.likelihood import GaussianNoise, InverseProblem, PoissonNoise, simulate
from invscore.methods import METHODS, MethodInfo, get_method
from invscore.operators import MRI, Identity, Inpainting, from_function, stack
from invscore.priors import GaussianPrior
from invscore.priors.noise_covariance import NoiseCovariance
from invscore.rng import SampleRNG

SHAPE = (1, 4, 4)


def gaussian_prior(scale: float = 1.0) -> GaussianPrior:
    generator = torch.Generator().manual_seed(3)
    factor = torch.randn(16, 16, generator=generator, dtype=torch.float64) / 4
    covariance = factor @ factor.T + 0.1 * torch.eye(16, dtype=torch.float64)
    mean = torch.linspace(0, 1, 16, dtype=torch.float64).reshape(SHAPE)
    prior = GaussianPrior(scale * mean, scale**2 * covariance)
    prior.peak = 2 * scale
    return prior


class White(Prior):
    """Independent complex pixels, N(0, 1/2) in both their parts."""

    mean, variance, has_density, complex = 0.0, 0.5, True, True
    noise_kinds = frozenset({"frequencies"})

    def denoise_with(self, x: Tensor, noise: NoiseCovariance) -> Tensor:
        return noise.filter(x, 0.5 / (0.5 + noise.variances))

    def denoise(self, x: Tensor, sigma: PerImage) -> Tensor:
        return 0.5 / (0.5 + per_image(sigma, x) ** 2) * x

    def log_density(self, x: Tensor, sigma: PerImage) -> Tensor:
        return -0.5 * (x.abs() ** 2 / (0.5 + per_image(sigma, x) ** 2)).flatten(1).sum(dim=1)


def masked_problem(images: int = 2, scale: float = 1.0) -> InverseProblem:
    prior = gaussian_prior()
    truth = prior.sample(images, 11)
    operator = Inpainting.random(SHAPE, keep=0.5, seed=2)
    noise = GaussianNoise(0.1)
    y = simulate(operator, truth, noise, 5)
    return InverseProblem(operator, scale * y, noise.scaled(scale))


def wide_problem() -> tuple[InverseProblem, GaussianPrior]:
    """More numbers are measured than `auto` calls few."""
    shape = (1, 10, 10)
    prior = GaussianPrior(torch.full(shape, 0.5, dtype=torch.float64), 0.3)
    operator, noise = Inpainting.random(shape, keep=0.7, seed=2), GaussianNoise(0.1)
    return InverseProblem(operator, simulate(operator, prior.sample(1, 11), noise, 5), noise), prior


@pytest.fixture(params=sorted(METHODS))
def info(request: pytest.FixtureRequest) -> MethodInfo:
    return METHODS[request.param]


def point_estimate(info: MethodInfo) -> bool:
    return info.law.startswith("point estimate")


def test_signature(info: MethodInfo) -> None:
    parameters = list(inspect.signature(info.run).parameters.values())
    assert [p.name for p in parameters[:3]] == ["problem", "prior", "rng"]
    assert all(p.kind is p.KEYWORD_ONLY and p.default is not p.empty for p in parameters[3:])
    steps = info.defaults["steps"]
    assert isinstance(steps, int) or (steps is None and info.name == "auto")


def test_documentation(info: MethodInfo) -> None:
    text = inspect.getdoc(info.run) or ""
    assert info.summary.endswith(".")
    assert info.law
    assert info.cites
    for option in info.defaults:
        assert f"``{option}``" in text, f"{option} is not described"


@pytest.mark.parametrize("many", [False, True], ids=["few", "many"])
def test_cost(info: MethodInfo, many: bool) -> None:
    """The costs that the tables state are those counted: exactly, or an upper bound within 2."""
    problem, prior = wide_problem() if many else (masked_problem(), gaussian_prior())
    if info.name == "auto":
        prior.noise_kinds = frozenset()  # else its cost is that of `exact_score`
        prior.sigma_max = 50.0  # as a network, not as a closed form behind many numbers
    result = reconstruct(problem, prior, method=info.name, steps=8)
    assert problem.operator.measured is not None
    measured = int(problem.operator.measured.sum())
    numbers = min(measured, problem.operator.measured.numel())
    names = {
        **result.options,
        "measurements": measured,
        "numbers": numbers,
        "nonlinear": 0,
        "own": int(math.isfinite(prior.sigma_max)),
    }
    for stated, counted in (
        (info.evaluations, result.evaluations),
        (info.products, result.jacobian_products),
    ):
        bound = 8 * eval(stated, {}, names)
        assert bound / 2 <= counted <= bound + 1e-9, stated


@pytest.mark.parametrize("steps", [2, 7])
def test_one_state_a_step(info: MethodInfo, steps: int) -> None:
    problem = masked_problem()
    rng = SampleRNG([(0, 0), (0, 1)])
    states = list(info.run(problem, gaussian_prior(), rng, **info.options({"steps": steps})))
    assert len(states) == steps
    for state in states:
        assert state.x.shape == state.denoised.shape == (2, *SHAPE)
        assert state.x.dtype == torch.float64
        assert state.x.isfinite().all()


def test_samples_do_not_depend_on_company(info: MethodInfo) -> None:
    problem, prior = masked_problem(), gaussian_prior()
    many = reconstruct(problem, prior, method=info.name, samples=4, seed=7, steps=6)
    split = reconstruct(problem, prior, method=info.name, samples=4, seed=7, steps=6, batch_size=3)
    torch.testing.assert_close(many.samples, split.samples, rtol=1e-10, atol=1e-10)
    later = reconstruct(problem, prior, method=info.name, samples=1, seed=9, steps=6)
    torch.testing.assert_close(many.samples[2], later.samples[0], rtol=1e-10, atol=1e-10)
    again = reconstruct(problem, prior, method=info.name, samples=4, seed=7, steps=6)
    assert torch.equal(many.samples, again.samples)
    assert not torch.allclose(many.samples[0], many.samples[1], atol=1e-6) or point_estimate(info)


def test_images_do_not_mix(info: MethodInfo) -> None:
    problem, prior = masked_problem(images=1), gaussian_prior()
    alone = reconstruct(problem, prior, method=info.name, seed=1, steps=6)
    other = torch.cat([problem.y, problem.y.flip(-1) + 1])
    pair = reconstruct(
        InverseProblem(problem.operator, other, problem.noise),
        prior,
        method=info.name,
        seed=1,
        steps=6,
    )
    torch.testing.assert_close(pair.samples[:, :1], alone.samples, rtol=1e-10, atol=1e-10)


def test_images_do_not_mix_where_the_operator_bends(info: MethodInfo) -> None:
    if "linear" in info.needs:
        return
    bend = from_function(lambda x: x + 0.3 * x**2, SHAPE, linear=False)
    y, prior = masked_problem().y, GaussianPrior(gaussian_prior().mean, 0.3)
    many = reconstruct(
        InverseProblem(bend, y, GaussianNoise(0.1)), prior, method=info.name, seed=1, steps=6
    )
    alone = reconstruct(
        InverseProblem(bend, y[:1], GaussianNoise(0.1)), prior, method=info.name, seed=1, steps=6
    )
    torch.testing.assert_close(many.samples[:, :1], alone.samples, rtol=1e-8, atol=1e-8)


def test_noise_level_of_each_image(info: MethodInfo) -> None:
    problem, prior = masked_problem(images=2), gaussian_prior()
    apart = []
    for image, sigma in enumerate((0.05, 0.3)):
        y = problem.y[[0]].repeat(2, 1, 1, 1)
        single = InverseProblem(problem.operator, y, GaussianNoise(sigma))
        apart.append(reconstruct(single, prior, method=info.name, steps=6).samples[:, image])
    y = problem.y[[0]].repeat(2, 1, 1, 1)
    both = InverseProblem(problem.operator, y, GaussianNoise(torch.tensor([0.05, 0.3])))
    together = reconstruct(both, prior, method=info.name, steps=6).samples
    torch.testing.assert_close(together, torch.stack(apart, dim=1), rtol=1e-6, atol=1e-6)


def test_units(info: MethodInfo) -> None:
    """In other units of the image, everything comes out in those units."""
    plain = reconstruct(masked_problem(), gaussian_prior(), method=info.name, steps=8, scale=1.0)
    large = reconstruct(
        masked_problem(scale=100.0), gaussian_prior(100.0), method=info.name, steps=8, scale=1.0
    )
    # Conjugate gradients stop at a residual of 1e-6.
    torch.testing.assert_close(large.samples, 100 * plain.samples, rtol=1e-5, atol=1e-4)


def test_refusals(info: MethodInfo) -> None:
    prior = gaussian_prior()
    y = torch.ones(1, *SHAPE, dtype=torch.float64)
    square = from_function(lambda x: x**2, SHAPE, linear=False)
    nonlinear = InverseProblem(square, y, GaussianNoise(0.1))
    poisson = InverseProblem(Identity(SHAPE), y, PoissonNoise(50.0))
    halves = stack([Inpainting.box(SHAPE, 2), Inpainting.random(SHAPE, keep=0.5)])
    unfactored = InverseProblem(halves, torch.ones(1, 32, dtype=torch.float64), GaussianNoise(0.1))
    needs = (("linear", nonlinear), ("gaussian", poisson), ("svd", unfactored))
    for need, problem in needs:
        if need in info.needs:
            with pytest.raises(ValueError, match=f"{info.name} needs"):
                reconstruct(problem, prior, method=info.name, steps=4)
        else:
            assert reconstruct(problem, prior, method=info.name, steps=4).samples.isfinite().all()


class Narrow(Prior):
    """A denoiser of the levels from ``sigma_min`` to ``sigma_max`` that writes down what it is
    asked."""

    has_density = True

    def __init__(self, prior: Prior, low: float, high: float) -> None:
        self.prior, self.asked = prior, []
        self._take_after(prior)
        self.sigma_min, self.sigma_max = low, high

    asked: list[float]

    def _note(self, sigma: PerImage) -> None:
        self.asked += torch.as_tensor(sigma, dtype=torch.float64).flatten().tolist()

    def denoise(self, x: Tensor, sigma: PerImage) -> Tensor:
        self._note(sigma)
        return self.prior.denoise(x, sigma)

    def log_density(self, x: Tensor, sigma: PerImage) -> Tensor:
        self._note(sigma)
        return self.prior.log_density(x, sigma)


@pytest.mark.parametrize(("low", "high"), [(0.002, 0.03), (0.2, 0.2), (0.8, 30.0)])
@pytest.mark.parametrize("many", [False, True], ids=["few", "many"])
def test_levels_that_the_prior_knows(info: MethodInfo, low: float, high: float, many: bool) -> None:
    """No method asks by default for another level than those, and none goes up."""
    problem, prior = wide_problem() if many else (masked_problem(), gaussian_prior())
    narrow = Narrow(prior, low, high)
    if "coloured" in info.needs:
        with pytest.raises(ValueError, match="needs a prior that denoises noise as the operator"):
            reconstruct(problem, narrow, method=info.name, steps=6, scale=1.0)
        return
    if low == high and info.name == "matched_smc":
        with pytest.raises(ValueError, match="needs a prior of several noise levels"):
            reconstruct(problem, narrow, method=info.name, steps=6, scale=1.0)
    else:
        reconstruct(problem, narrow, method=info.name, steps=6, scale=1.0)
    assert narrow.asked
    assert min(narrow.asked) > low * (1 - 1e-6)
    assert max(narrow.asked) < high * (1 + 1e-6)


def test_complex_images(info: MethodInfo) -> None:
    operator = MRI(torch.arange(4) % 2 == 0, SHAPE)
    truth = torch.view_as_complex(gaussian_prior().sample(2, 3).reshape(1, *SHAPE, 2))
    noise = GaussianNoise(0.1)
    problem = InverseProblem(operator, simulate(operator, truth, noise), noise)
    result = reconstruct(problem, White(), method=info.name, samples=2, steps=4)
    assert result.samples.dtype == torch.complex128
    assert torch.view_as_real(result.samples).isfinite().all()
    assert not torch.allclose(result.samples.imag, torch.zeros((), dtype=torch.float64))


def test_unknown_option_lists_the_known(info: MethodInfo) -> None:
    with pytest.raises(ValueError, match="has no option 'stpes': it has steps"):
        info.options({"stpes": 3})


def test_unknown_method_lists_the_known() -> None:
    with pytest.raises(ValueError, match=r"unknown method 'dsp': known are .*dps"):
        get_method("dsp")
