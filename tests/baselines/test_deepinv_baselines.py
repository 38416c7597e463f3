"""deepinv's methods through our adapters: scales, conventions, seeds and refusals."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from invscore.baselines import BASELINES, get_baseline
from invscore.likelihood import GaussianNoise, InverseProblem
from invscore.operators import MRI, Blur, Identity, Inpainting, LinearOperator, SuperResolution
from invscore.operators.compressed import CompressedSensing
from invscore.operators.phase import PhaseRetrieval
from invscore.priors import GaussianPrior, StationaryGaussianPrior

deepinv = pytest.importorskip("deepinv")

from invscore.baselines.deepinv_adapters import (  # noqa: E402
    OperatorPhysics,
    PriorDenoiser,
    decomposable,
)

NAMES = sorted(name for name, info in BASELINES.items() if info.package == "deepinv")
QUICK: dict[str, dict[str, Any]] = {
    "deepinv-dps": {"steps": 20, "guidance": "annealed"},
    "deepinv-diffpir": {"steps": 20},
    "deepinv-ddrm": {"steps": 20},
    "deepinv-dpir": {},
}
SHAPE = (1, 32, 32)
Measure = Callable[..., InverseProblem]


@pytest.fixture
def pixels() -> GaussianPrior:
    """Independent pixels of mean 0.5 and deviation 0.1."""
    return GaussianPrior(torch.full(SHAPE, 0.5), 0.01)


def run(name: str, problem: InverseProblem, prior: Any, **options: Any) -> Tensor:
    return get_baseline(name).run(problem, prior, **{**QUICK[name], **options})


def test_all_of_them_are_there() -> None:
    assert NAMES == ["deepinv-ddrm", "deepinv-diffpir", "deepinv-dpir", "deepinv-dps"]
    assert all(BASELINES[name].uses_prior for name in NAMES)
    assert [name for name in NAMES if BASELINES[name].point_estimate] == ["deepinv-dpir"]


@pytest.mark.parametrize("level", [0.2, torch.tensor(0.2), torch.tensor([0.2])])
def test_a_denoiser_is_the_prior(level: float | Tensor, pixels: GaussianPrior) -> None:
    x = torch.rand(2, *SHAPE, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    found = PriorDenoiser(pixels, torch.float32)(x, level)
    assert found.dtype == torch.float64
    torch.testing.assert_close(found, 0.5 + 0.2 * (x - 0.5), atol=1e-6, rtol=0)


def test_a_level_for_each_image(pixels: GaussianPrior) -> None:
    levels = torch.tensor([0.1, 0.3]).reshape(2, 1, 1, 1)
    found = PriorDenoiser(pixels, torch.float32)(torch.ones(2, *SHAPE), levels)
    torch.testing.assert_close(
        found, 0.5 + 0.5 * torch.tensor([0.5, 0.1]).reshape(2, 1, 1, 1) + 0 * found
    )


OPERATORS: dict[str, LinearOperator] = {
    "identity": Identity(SHAPE),
    "blur": Blur.gaussian(1.5, SHAPE),
    "holes": Inpainting.random(SHAPE, keep=0.3),
    "superresolution": SuperResolution(4, SHAPE),
    "sensing": CompressedSensing(SHAPE, 0.25),
    "scaled": -3 * SuperResolution(2, SHAPE),
}


@pytest.mark.parametrize("kind", OPERATORS)
def test_physics_are_the_operator(kind: str) -> None:
    operator = OPERATORS[kind]
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(1, *SHAPE, dtype=torch.float64, generator=generator)
    y = torch.randn(1, *operator.out_shape, dtype=torch.float64, generator=generator)
    plain = OperatorPhysics(operator, 0.1)
    split = decomposable(operator.svd(torch.float64), SHAPE, y, 0.1)
    for physics in (plain, split):
        assert float(physics.noise_model.sigma) == pytest.approx(0.1)
        torch.testing.assert_close(physics.A(x), operator.matvec(x))
        torch.testing.assert_close(physics.A_adjoint(y), operator.rmatvec(y))
        z = physics.prox_l2(x, y, gamma=torch.tensor(2.0, dtype=torch.float64))
        slope = 2 * operator.rmatvec(operator.matvec(z) - y) + z - x
        assert float(slope.abs().max()) < 1e-9
    torch.testing.assert_close(split.V(split.V_adjoint(x)), x)
    noise = torch.randn(split.V_adjoint(x).shape, dtype=torch.float64, generator=generator)
    assert float(split.V(noise).std()) == pytest.approx(1, abs=4 / (2 * 1024) ** 0.5)


def test_dpir_at_its_defaults_is_deepinvs() -> None:
    prior = StationaryGaussianPrior.power_law(SHAPE, variance=0.05, mean=0.5)
    operator = Blur.gaussian(1.5, SHAPE)
    y = operator(0.5 + 0.2 * torch.randn(1, *SHAPE, generator=torch.Generator().manual_seed(0)))
    model = deepinv.optim.DPIR(sigma=0.03, denoiser=PriorDenoiser(prior, torch.float32))
    expected = model(y, OperatorPhysics(operator, 0.03))
    found = run("deepinv-dpir", InverseProblem(operator, y, GaussianNoise(0.03)), prior)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("name", "options", "low", "high"),
    [
        # Samplers of the prior: its deviation is 0.1, less what few steps lose.
        ("deepinv-dps", {"steps": 200, "weight": 1e-6, "guidance": "norm"}, 0.085, 0.105),
        ("deepinv-diffpir", {"steps": 100, "zeta": 0.1}, 0.085, 0.105),
        # Its noise has half the variance that it should have.
        ("deepinv-ddrm", {"steps": 100}, 0.05, 0.065),
    ],
)
def test_without_data_they_sample_the_prior(
    name: str, options: dict[str, Any], low: float, high: float, pixels: GaussianPrior
) -> None:
    noise = 3 * torch.randn(1, *SHAPE, generator=torch.Generator().manual_seed(0))
    found = run(
        name, InverseProblem(Identity(SHAPE), 0.5 + noise, GaussianNoise(3)), pixels, **options
    )
    assert float(found.mean()) == pytest.approx(0.5, abs=0.015)
    assert low < float(found.std()) < high


@pytest.mark.parametrize(
    ("name", "options", "mean"),
    [
        ("deepinv-dps", {"steps": 100, "guidance": "annealed"}, 0.62),
        ("deepinv-diffpir", {"steps": 100, "lam": 2.0, "zeta": 1.0}, 0.665),
        ("deepinv-ddrm", {"steps": 100}, 0.673),
        ("deepinv-dpir", {"lam": 1.0}, 0.598),
    ],
)
def test_data_and_prior_of_equal_weight(
    name: str, options: dict[str, Any], mean: float, pixels: GaussianPrior
) -> None:
    """The posterior mean is 0.65; each has its bias, and a wrong unit would change it."""
    problem = InverseProblem(Identity(SHAPE), torch.full((1, *SHAPE), 0.8), GaussianNoise(0.1))
    found = run(name, problem, pixels, **options)
    assert float(found.mean()) == pytest.approx(mean, abs=0.015)


@pytest.mark.parametrize("name", NAMES)
def test_better_than_the_measurement(
    name: str, image: Tensor, measure: Measure, rms: Callable[[Tensor, Tensor], float]
) -> None:
    prior = StationaryGaussianPrior.power_law(SHAPE, exponent=3.0, variance=0.04, mean=0.45)
    problem = measure(Inpainting.random(SHAPE, keep=0.6), image.float())
    share = {"deepinv-dpir": 0.5, "deepinv-diffpir": 0.3, "deepinv-dps": 0.6, "deepinv-ddrm": 0.3}
    found = run(name, problem, prior)
    assert found.dtype == torch.float32
    assert rms(found, image) < share[name] * rms(problem.y, image)


@pytest.mark.parametrize("name", NAMES)
def test_seeds(name: str, image: Tensor, measure: Measure, pixels: GaussianPrior) -> None:
    problem = measure(Inpainting.random(SHAPE, keep=0.5), image.float())
    before = torch.random.get_rng_state()
    zero, again, one = (run(name, problem, pixels, seed=seed) for seed in (0, 0, 1))
    assert torch.equal(before, torch.random.get_rng_state())
    assert torch.equal(zero, again)
    assert torch.equal(zero, one) == BASELINES[name].point_estimate
    noise = GaussianNoise(torch.tensor([0.025, 0.1]))
    both = InverseProblem(problem.operator, torch.cat([problem.y, problem.y]), noise)
    pair = run(name, both, pixels)
    torch.testing.assert_close(pair[:1], zero, atol=1e-6, rtol=0)
    assert not torch.equal(pair[1:], zero)


@pytest.mark.parametrize("name", NAMES)
def test_refusals(name: str, pixels: GaussianPrior) -> None:
    operator = Identity(SHAPE)
    problem = InverseProblem(operator, torch.zeros(1, *SHAPE), GaussianNoise(0.1))
    with pytest.raises(ValueError, match=f"{name} needs a prior, given None"):
        run(name, problem, None)
    with pytest.raises(ValueError, match=r"`steps` must be (a positive number|at least 2), got 0"):
        run(name, problem, pixels, steps=0)
    phase = PhaseRetrieval(SHAPE)
    nonlinear = InverseProblem(phase, torch.ones(1, *phase.out_shape), GaussianNoise(0.1))
    with pytest.raises(ValueError, match=f"{name} needs a linear operator, given PhaseRetrieval"):
        run(name, nonlinear, pixels)
    scan = MRI(torch.ones(8, 8, dtype=torch.bool))
    spectrum = InverseProblem(scan, torch.zeros(1, 1, 8, 8) + 0j, GaussianNoise(0.1))
    if name != "deepinv-dpir":
        with pytest.raises(ValueError, match=f"{name} takes images in .* MRI has complex ones"):
            run(name, spectrum, pixels)


def test_other_refusals(pixels: GaussianPrior) -> None:
    problem = InverseProblem(Identity(SHAPE), torch.zeros(1, *SHAPE), GaussianNoise(0.1))
    with pytest.raises(ValueError, match="`guidance` must be norm or annealed, got 'none'"):
        run("deepinv-dps", problem, pixels, guidance="none")
    with pytest.raises(ValueError, match="`sigma_min` must be a positive number, got 0"):
        run("deepinv-dpir", problem, pixels, sigma_min=0)
    for name in ("deepinv-dps", "deepinv-diffpir"):
        with pytest.raises(ValueError, match="`steps` must be at least 2, got 1"):
            run(name, problem, pixels, steps=1)
        assert bool(run(name, problem, pixels, steps=2).isfinite().all())
    valid = Blur.gaussian(1.0, SHAPE, size=5, boundary="valid")
    rough = InverseProblem(valid, torch.zeros(1, *valid.out_shape), GaussianNoise(0.1))
    with pytest.raises(ValueError, match="cheap singular value decomposition, given Blur"):
        run("deepinv-ddrm", rough, pixels)


def test_complex_images_by_dpir() -> None:
    class Halves(GaussianPrior):
        """Complex images whose parts are those of independent pixels."""

        def denoise(self, x: Tensor, sigma: Any) -> Tensor:
            parts = [super(Halves, self).denoise(part, sigma) for part in (x.real, x.imag)]
            return torch.complex(*parts)

    shape = (1, 8, 8)
    prior = Halves(torch.zeros(shape), 0.04)
    scan = MRI(torch.ones(8, 8, dtype=torch.bool))
    x = torch.randn(1, *shape, dtype=torch.complex64, generator=torch.Generator().manual_seed(0))
    found = run("deepinv-dpir", InverseProblem(scan, scan(x), GaussianNoise(0.1)), prior)
    # The gain is real, and the same for all pixels.
    ratio = found / x
    torch.testing.assert_close(ratio, ratio.mean() + 0 * ratio, atol=1e-4, rtol=0)
    assert 0.3 < float(ratio.real.mean()) < 0.95
    assert abs(float(ratio.imag.mean())) < 1e-4
