"""Almost no noise, none at all, and more than images have: every method, in single precision."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from invscore import GaussianNoise, InverseProblem, reconstruct, simulate
from invscore.methods import METHODS
from invscore.methods.common.discrepancy_principle import reconciled
from invscore.methods.common.initial_guess import initial_guess
from invscore.metrics import psnr
from invscore.noise import RaisedNoise
from invscore.operators import (
    MRI,
    Blur,
    CompressedSensing,
    Inpainting,
    LinearOperator,
    SuperResolution,
    Tomography,
    from_matrix,
)
from invscore.priors import StationaryGaussianPrior
from invscore.rng import SampleRNG

SHAPE = (1, 16, 16)
PRIOR = StationaryGaussianPrior.power_law(SHAPE, exponent=3.0, variance=1 / 16, mean=0.5)
MATRIX = torch.randn(128, 256, generator=torch.Generator().manual_seed(0)) / 16
OPERATORS: dict[str, LinearOperator] = {
    "circular": Blur.gaussian(1.2, SHAPE),
    "reflect": Blur.gaussian(1.2, SHAPE, boundary="reflect"),
    "valid": Blur.gaussian(0.6, SHAPE, boundary="valid"),
    "motion": Blur.motion(5, 30, SHAPE, boundary="reflect"),
    "inpaint": Inpainting.random(SHAPE, keep=0.4),
    "superres": SuperResolution(2, SHAPE),
    "mri": MRI.random(SHAPE, real=True),
    "ct": Tomography(24, SHAPE),
    "cs": CompressedSensing(SHAPE, ratio=0.5),
    "matrix": from_matrix(MATRIX, SHAPE),
}
METHODS_OF_IMAGES = sorted(set(METHODS) - {"matched_smc"})
STEPS = 30


def measured(operator: LinearOperator, level: float) -> tuple[InverseProblem, Tensor]:
    truth = PRIOR.sample(1, 4)
    clean = operator.to(dtype=torch.float64)(truth.double())
    white = simulate(operator, torch.zeros_like(truth), GaussianNoise(1.0), 1)
    y = (clean + level * white).to(white.dtype)
    return InverseProblem(operator, y, GaussianNoise(level)), truth


def best_pseudo_inverse(problem: InverseProblem, truth: Tensor) -> float:
    """The PSNR of Tikhonov's with the best weight, about the prior's mean, in double precision."""
    operator = problem.operator.to(dtype=torch.float64)
    eye = torch.eye(truth.numel(), dtype=torch.float64).reshape(-1, *SHAPE)
    columns = _numbers(operator(eye))
    u, s, vh = torch.linalg.svd(columns.T, full_matrices=False)
    residual = _numbers(problem.y - operator(torch.full_like(truth, 0.5).double()))[0]
    scores = []
    for exponent in torch.arange(-20.0, 1.0, 0.5).tolist():
        shift = vh.T @ (s / (s**2 + 10**exponent * s.max() ** 2) * (u.T @ residual))
        scores.append(psnr((0.5 + shift).reshape(1, *SHAPE), truth.double()).item())
    return max(scores)


def _numbers(y: Tensor) -> Tensor:
    return (torch.view_as_real(y) if y.is_complex() else y).flatten(1).double()


@pytest.mark.parametrize("level", [1e-5, 1e-7, 0.0])
@pytest.mark.parametrize("name", OPERATORS)
def test_the_first_guess_is_sane_with_almost_no_noise(name: str, level: float) -> None:
    """What all methods start from, and what the driver makes of it."""
    problem, truth = measured(OPERATORS[name], level)
    guess = initial_guess(problem, PRIOR, 0.0, SampleRNG([(0, 0)]))
    moved = reconciled(problem, PRIOR, guess)
    best = best_pseudo_inverse(problem, truth)
    # The error of a guess is not white, and where its residual is faint it stays as it is.
    most = 36.0 if level == 1e-5 else 42.0
    assert psnr(moved, truth).item() > min(best, most) - 2.0


@pytest.mark.parametrize("level", [1e-5, 0.0])
@pytest.mark.parametrize("method", METHODS_OF_IMAGES)
@pytest.mark.parametrize("name", ["circular", "inpaint"])
def test_no_method_is_worse_than_the_pseudo_inverse(name: str, method: str, level: float) -> None:
    problem, truth = measured(OPERATORS[name], level)
    result = reconstruct(problem, PRIOR, method=method, samples=2, steps=STEPS, scale=1.0)
    # Of what the noise hides, a sample has up to 3 dB more error than the mean of the posterior,
    # two have up to 1.8, and methods err there. Without noise nothing is hidden but by rounding.
    best = best_pseudo_inverse(problem, truth)
    enough = min(best, 50.0) - 2.0 if level == 0 else min(best, 34.0) - 3.6
    assert psnr(result.mean, truth).item() > enough


@pytest.mark.parametrize("name", ["circular", "reflect", "motion", "ct"])
def test_results_are_moved_to_a_measurement_without_noise(name: str) -> None:
    """In double precision: as near to the truth as the best pseudo-inverse, or 70 dB."""
    problem, truth = measured(OPERATORS[name], 0.0)
    noise = torch.randn(truth.shape, generator=torch.Generator().manual_seed(0))
    moved = reconciled(problem, PRIOR, truth + 0.003 * noise)
    best = best_pseudo_inverse(problem, truth)
    assert psnr(moved, truth).item() > min(best, 70.0) - 2.0


def test_less_noise_than_rounding_errors_is_remembered() -> None:
    y = torch.full((2, *SHAPE), 0.5)
    problem = InverseProblem(OPERATORS["circular"], y, GaussianNoise(torch.tensor([1e-8, 1e-9])))
    raised = problem.select(torch.tensor([1, 0])).scaled(2.0).noise
    assert isinstance(raised, RaisedNoise)
    torch.testing.assert_close(torch.as_tensor(raised.declared), torch.tensor([2e-9, 2e-8]))
    expected = torch.full((2,), 8 * torch.finfo(torch.float32).eps)
    torch.testing.assert_close(raised.level(y).flatten(), expected)


@pytest.mark.parametrize("method", METHODS_OF_IMAGES)
def test_methods_return_to_the_prior(method: str) -> None:
    """The distance from the prior's mean is that of a draw of the prior, or less."""
    for level in (10.0, 1e6):
        problem, _ = measured(OPERATORS["circular"], level)
        result = reconstruct(problem, PRIOR, method=method, samples=4, steps=STEPS, scale=1.0)
        distance = float((result.samples - 0.5).square().mean().sqrt())
        assert distance < 1.5 * 0.25


def test_a_measurement_without_noise_has_an_effective_level() -> None:
    """Of 8 relative precisions of its rms, each image its own; that of its type where half."""
    y = torch.stack([torch.full(SHAPE, 0.5), torch.full(SHAPE, 2.0)])
    operator = Inpainting(torch.ones(16, 16, dtype=torch.bool))
    problem = InverseProblem(operator, y, GaussianNoise(0.0))
    expected = 8 * torch.finfo(torch.float32).eps * torch.tensor([0.5, 2.0])
    torch.testing.assert_close(problem.noise.level(y).flatten(), expected)  # type: ignore[attr-defined]
    half = InverseProblem(operator, y.half(), GaussianNoise(0.0))
    assert half.y.dtype == torch.float32
    assert float(half.noise.level(y)[0]) == pytest.approx(0.3 * 2**-10 * 0.5)  # type: ignore[attr-defined]
    assert InverseProblem(operator, y, GaussianNoise(0.01)).noise == GaussianNoise(0.01)
    assert torch.equal(simulate(operator, y, GaussianNoise(0.0), 0), y)
    assert bool(problem.log_likelihood(y).isfinite().all())
    assert float(problem.discrepancy(y).max()) == 0
    zero = InverseProblem(operator, torch.zeros_like(y), GaussianNoise(0.0))
    assert bool(zero.score(y).isfinite().all())


def test_ordinary_noise_leaves_results_as_they_are() -> None:
    problem, _ = measured(OPERATORS["circular"], 0.01)
    x = torch.zeros(1, *SHAPE)
    assert reconciled(problem, PRIOR, x) is x


@pytest.mark.parametrize("declared", [1e-3, 5e-4])
@pytest.mark.parametrize("boundary", ["circular", "reflect", "valid"])
def test_noise_far_above_what_is_declared_is_told_and_not_fitted(
    boundary: str, declared: float
) -> None:
    """Below ``|A| levels.finest``, where right results are moved to y."""
    shape = (1, 32, 32)
    prior = StationaryGaussianPrior.power_law(shape, exponent=3.0, variance=1 / 16, mean=0.5)
    operator, truth = Blur.gaussian(1.6, shape, boundary=boundary), prior.sample(1, 4)
    y = simulate(operator, truth, GaussianNoise(0.01), 1)
    problem = InverseProblem(operator, y, GaussianNoise(declared))
    for method in ("auto", "ddnm", "diffpir"):
        result = reconstruct(problem, prior, method=method, samples=2, steps=15, scale=1.0)
        assert any("noise is" in sentence for sentence in result.warnings), method
        assert float(result.residual) > 3
    far = truth + 0.01 * torch.randn(truth.shape, generator=torch.Generator().manual_seed(0))
    assert torch.equal(reconciled(problem, prior, far), far)
    right = InverseProblem(operator, operator(truth), GaussianNoise(declared))
    assert float(right.discrepancy(far)) > 1.5
    assert float(right.discrepancy(reconciled(right, prior, far))) < 1.45


def test_a_result_is_moved_until_the_residual_is_the_noise() -> None:
    """Where A is nearly blind a result errs by more than its residual tells."""
    shape = (1, 32, 32)
    prior = StationaryGaussianPrior.power_law(shape, exponent=3.0, variance=1 / 16, mean=0.5)
    operator, noise = Blur.motion(7, 30, shape, boundary="reflect"), GaussianNoise(1e-5)
    truth = prior.sample(1, 4)
    problem = InverseProblem(operator, simulate(operator, truth, noise, 1), noise)
    result = reconstruct(problem, prior, method="matched_spectrum", samples=1, steps=4, scale=1.0)
    assert float(problem.discrepancy(result.mean)) < 1.5
