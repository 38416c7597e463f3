import math

import pytest
import torch
from torch import Tensor

from invscore.likelihood import GaussianNoise, InverseProblem, Noise, PoissonNoise, simulate
from invscore.noise import (
    PoissonGaussianNoise,
    RicianNoise,
    SpeckleNoise,
    TransmissionNoise,
)
from invscore.operators import (
    Identity,
    Inpainting,
    LinearOperator,
    NonlinearOperator,
    Operator,
    from_matrix,
)
from invscore.rng import SampleRNG

F64 = torch.float64
B, D = 3, 4
LEVELS = torch.tensor([0.1, 0.5, 2.0], dtype=F64)


def _randn(*shape: int, seed: int = 0, dtype: torch.dtype = F64) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


class Fourier(LinearOperator):
    """The Fourier transform of a real image, half of it measured."""

    in_shape = out_shape = (D,)
    out_complex = True
    measured = torch.tensor([True, True, False, False])

    def matvec(self, x: Tensor) -> Tensor:
        return torch.where(self.measured, torch.fft.fft(x), 0)

    def rmatvec(self, y: Tensor) -> Tensor:
        image: Tensor = torch.fft.ifft(torch.where(self.measured, y, 0))
        return D * image.real


class Exponential(NonlinearOperator):
    in_shape = out_shape = (D,)

    def __call__(self, x: Tensor) -> Tensor:
        return x.exp()


MATRIX = from_matrix(_randn(5, D, seed=1).abs() / 2)
COMPLEX = from_matrix(_randn(5, D, seed=2, dtype=torch.complex128))
HOLES = Inpainting(torch.tensor([[True, False], [True, True]]), (1, 2, 2))

BACKGROUND = torch.tensor([[1.0, 0.5], [4.0, 0.0]], dtype=F64)

PROBLEMS: dict[str, tuple[Operator, Noise]] = {
    "gaussian": (MATRIX, GaussianNoise(0.3)),
    "gaussian, levels": (MATRIX, GaussianNoise(LEVELS)),
    "gaussian, complex": (COMPLEX, GaussianNoise(0.3)),
    "gaussian, complex, levels": (COMPLEX, GaussianNoise(LEVELS)),
    "gaussian, real to complex": (Fourier(), GaussianNoise(LEVELS)),
    "gaussian, nonlinear": (Exponential(), GaussianNoise(LEVELS)),
    "gaussian, holes": (HOLES, GaussianNoise(LEVELS)),
    "poisson": (MATRIX, PoissonNoise(20.0)),
    "poisson, nonlinear": (Exponential(), PoissonNoise(20.0)),
    "poisson, holes": (HOLES, PoissonNoise(20.0)),
    "poisson, background": (MATRIX, PoissonNoise(20.0, background=3.0)),
    "poisson, map of background, holes": (HOLES, PoissonNoise(20.0, background=BACKGROUND)),
    "poisson-gaussian": (MATRIX, PoissonGaussianNoise(20.0, sigma=0.05)),
    "poisson-gaussian, holes": (
        HOLES,
        PoissonGaussianNoise(3.0, background=BACKGROUND, sigma=0.4),
    ),
    "rician": (MATRIX, RicianNoise(0.3)),
    "speckle": (MATRIX, SpeckleNoise(4.0)),
    "transmission": (MATRIX, TransmissionNoise(40.0, 2.0)),
    "transmission, maps, holes": (HOLES, TransmissionNoise(40 + BACKGROUND, BACKGROUND)),
}


def _images(operator: Operator, seed: int = 3) -> Tensor:
    dtype = torch.complex128 if operator.in_complex else F64
    z = _randn(B, *operator.in_shape, seed=seed, dtype=dtype)
    return z if operator.in_complex else z.abs() + 0.2


def _problem(name: str) -> tuple[InverseProblem, Tensor]:
    operator, noise = PROBLEMS[name]
    x = _images(operator)
    return InverseProblem(operator, simulate(operator, x, noise, 0), noise), x


@pytest.mark.parametrize("name", PROBLEMS)
def test_score_is_the_gradient_of_the_log_likelihood(name: str) -> None:
    problem, x = _problem(name)
    x = x + 0.05
    v = _randn(*x.shape, seed=5, dtype=x.dtype)
    h = 1e-5
    change = problem.log_likelihood(x + h * v) - problem.log_likelihood(x - h * v)
    slope = (problem.score(x).conj() * v).real.flatten(1).sum(dim=1)
    torch.testing.assert_close(slope, change / (2 * h), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", PROBLEMS)
def test_select_takes_images_with_their_noise(name: str) -> None:
    problem, x = _problem(name)
    order = torch.tensor([2, 0, 2, 1])
    chosen = problem.select(order)
    whole, part = problem.log_likelihood(x), chosen.log_likelihood(x[order])
    torch.testing.assert_close(part, whole[order])
    torch.testing.assert_close(chosen.score(x[order]), problem.score(x)[order])
    torch.testing.assert_close(chosen.discrepancy(x[order]), problem.discrepancy(x)[order])


@pytest.mark.parametrize("name", [name for name in PROBLEMS if "nonlinear" not in name])
def test_scaled_changes_the_density_by_the_jacobian(name: str) -> None:
    problem, x = _problem(name)
    scaled = problem.scaled(2.5)
    log_jacobian = problem.count * math.log(2.5)
    torch.testing.assert_close(
        scaled.log_likelihood(2.5 * x), problem.log_likelihood(x) - log_jacobian
    )
    torch.testing.assert_close(scaled.discrepancy(2.5 * x), problem.discrepancy(x))
    torch.testing.assert_close(scaled.score(2.5 * x), problem.score(x) / 2.5)


@pytest.mark.parametrize("name", ["gaussian", "gaussian, complex", "gaussian, holes"])
def test_shifted_is_of_images_without_the_offset(name: str) -> None:
    problem, x = _problem(name)
    offset = torch.arange(B, dtype=F64) - 1
    away = x - offset.reshape(-1, *[1] * (x.ndim - 1))
    shifted = problem.shifted(offset)
    torch.testing.assert_close(shifted.log_likelihood(away), problem.log_likelihood(x))


@pytest.mark.parametrize("dtype", [F64, torch.complex128])
def test_the_gaussian_density_integrates_to_one(dtype: torch.dtype) -> None:
    noise, axis = GaussianNoise(0.4), torch.linspace(-5, 5, 401, dtype=F64)
    step = float(axis[1] - axis[0])
    if dtype.is_complex:
        y, cell = torch.complex(*torch.meshgrid(axis, axis, indexing="ij")).reshape(-1, 1), step**2
    else:
        y, cell = axis[:, None], step
    density = noise.log_likelihood(y, torch.full_like(y, 0.3)).exp()
    assert float(density.sum()) * cell == pytest.approx(1, abs=1e-10)


@pytest.mark.parametrize("clean", [-1e-3, 0.0, 0.01, 0.8])
def test_poisson_probabilities_sum_to_one(clean: float) -> None:
    noise, counts = PoissonNoise(25.0), torch.arange(200, dtype=F64)[:, None]
    density = noise.log_likelihood(counts / 25, torch.full_like(counts, clean)).exp()
    assert float(density.sum()) / 25 == pytest.approx(1, abs=1e-12)
    mean = float((density * counts[:, 0]).sum()) / 25
    expected = 25 * clean if clean > 0 else 0.01 * math.exp(25 * clean / 0.01 - 1)
    assert mean == pytest.approx(expected, rel=1e-10)


def test_the_poisson_likelihood_leads_back_from_below_the_background() -> None:
    """Finite, concave, of a continuous slope, and rising with the counts that are not there."""
    noise = PoissonNoise(10.0, dark=0.5)
    clean = torch.linspace(-1, 0.5, 1501, dtype=F64)[:, None]
    for counts in (0.0, 1.0, 30.0):
        y = torch.full_like(clean, counts / 10)
        height, slope = noise.log_likelihood(y, clean), noise.score(y, clean)[:, 0]
        assert bool(height.isfinite().all())
        assert bool((slope.diff() <= 1e-9).all())
        difference = (height[2:] - height[:-2]) / (clean[2:, 0] - clean[:-2, 0])
        torch.testing.assert_close(difference, slope[1:-1], rtol=1e-2, atol=2e-2 * (1 + counts))
        assert float(slope[0]) == pytest.approx(10 * counts / 0.5, abs=1e-4)
    lit = noise.score(torch.tensor([[0.3]]), torch.tensor([[0.06]]))
    assert float(lit) == pytest.approx(10 * (3 / 0.6 - 1))


@pytest.mark.parametrize("dtype", [F64, torch.complex128])
def test_gaussian_samples_have_the_level_of_their_image(dtype: torch.dtype) -> None:
    n = 50_000
    clean = torch.full((3, n), 0.7, dtype=dtype)
    y = GaussianNoise(LEVELS).sample(clean, SampleRNG([(k,) for k in range(3)]))
    assert y.dtype == dtype
    z = (y - clean) / LEVELS[:, None]
    parts = torch.view_as_real(z) if dtype.is_complex else z[..., None]
    assert float(parts.mean(dim=1).abs().max()) * n**0.5 < 4.5
    assert float((parts.square().mean(dim=1) - 1).abs().max()) * (n / 2) ** 0.5 < 4.5


def test_poisson_samples_have_their_mean_and_variance() -> None:
    n, photons = 50_000, 40.0
    clean = torch.tensor([[0.1], [0.9]], dtype=F64).expand(2, n)
    noise = PoissonNoise(photons)
    y = noise.sample(clean, SampleRNG([(0,), (1,)]))
    assert torch.equal((photons * y).round(), (photons * y))
    expected = noise.variance(clean)
    torch.testing.assert_close(expected, clean / photons)
    error = (y - clean).mean(dim=1) / (expected[:, 0] / n).sqrt()
    assert float(error.abs().max()) < 4.5
    squares = (y - clean) ** 2
    error = (squares.mean(dim=1) - expected[:, 0]) / squares.std(dim=1) * n**0.5
    assert float(error.abs().max()) < 4.5


@pytest.mark.parametrize(
    "noise",
    [GaussianNoise(LEVELS), PoissonNoise(30.0)],
    ids=["gaussian", "poisson"],
)
@pytest.mark.parametrize("keep", [1.0, 0.3])
def test_discrepancy_is_one_at_the_truth(noise: Noise, keep: float) -> None:
    shape = (1, 100, 100)
    operator = Inpainting.random(shape, keep=keep)
    x = 0.5 + 0.1 * _randn(3, *shape).clamp(-3, 3)
    problem = InverseProblem(operator, simulate(operator, x, noise, 0), noise)
    deviation = (2 * problem.count) ** -0.5
    assert float((problem.discrepancy(x) - 1).abs().max()) < 4.5 * deviation
    assert problem.count == round(10_000 * keep)


def test_discrepancy_counts_real_and_imaginary_parts() -> None:
    shape = (60, 60)
    x = _randn(2, *shape, dtype=torch.complex128)
    operator = from_matrix(torch.eye(3600, dtype=torch.complex128)[:600], shape)
    noise = GaussianNoise(torch.tensor([0.2, 3.0], dtype=F64))
    problem = InverseProblem(operator, simulate(operator, x, noise, 1), noise)
    assert problem.count == 1200
    assert float((problem.discrepancy(x) - 1).abs().max()) < 4.5 * (2 * 1200) ** -0.5


@pytest.mark.parametrize("noise", [GaussianNoise(0.3), PoissonNoise(20.0)])
def test_unmeasured_entries_tell_nothing(noise: Noise) -> None:
    x = _images(HOLES)
    y = simulate(HOLES, x, noise, 0)
    hole = ~HOLES.measured
    assert torch.equal(y[:, hole], torch.zeros(B, 1, dtype=F64))
    problem = InverseProblem(HOLES, y, noise)
    cropped = InverseProblem(Identity((3,)), y[:, HOLES.measured], noise)
    torch.testing.assert_close(
        problem.log_likelihood(x), cropped.log_likelihood(x[:, HOLES.measured])
    )
    spoilt = torch.where(hole, math.nan, y)
    same = InverseProblem(HOLES, spoilt, noise)
    assert torch.equal(same.y, y)
    assert torch.equal(same.score(x), problem.score(x))
    assert torch.equal(problem.score(x)[:, hole], torch.zeros(B, 1, dtype=F64))


def test_simulated_noise_depends_on_its_seed_alone() -> None:
    x, noise = _images(MATRIX), GaussianNoise(0.5)
    y = simulate(MATRIX, x, noise, 4)
    assert torch.equal(y[1:], simulate(MATRIX, x[1:], noise, 5))
    assert not torch.equal(y, simulate(MATRIX, x, noise, 5))
    rng = SampleRNG([(1,), (2,), (3,)])
    assert simulate(MATRIX, x, noise, rng).shape == y.shape


def test_linear_gaussian_gives_the_variance_of_each_image() -> None:
    problem, _ = _problem("gaussian, complex, levels")
    operator, y, variance = problem.linear_gaussian("this")
    assert operator is COMPLEX
    assert y is problem.y
    torch.testing.assert_close(variance, LEVELS**2)
    _, _, variance = _problem("gaussian")[0].linear_gaussian("this")
    torch.testing.assert_close(variance, torch.full((B,), 0.09, dtype=F64))
    with pytest.raises(ValueError, match="this needs a linear operator, given Exponential"):
        _problem("gaussian, nonlinear")[0].linear_gaussian("this")
    with pytest.raises(ValueError, match="this needs Gaussian noise, given PoissonNoise"):
        _problem("poisson")[0].linear_gaussian("this")


def test_image_dtype_follows_the_operator() -> None:
    assert _problem("gaussian, complex")[0].image_dtype == torch.complex128
    assert _problem("gaussian, real to complex")[0].image_dtype == F64
    y = torch.zeros(1, 5)
    assert InverseProblem(MATRIX, y, GaussianNoise(1.0)).image_dtype == torch.float32


@pytest.mark.parametrize("sigma", [-1.0, math.nan, math.inf, torch.tensor([0.1, -0.1])])
def test_wrong_gaussian_levels_are_refused(sigma: float | Tensor) -> None:
    with pytest.raises(ValueError, match="the noise level `sigma` must be a finite number from 0"):
        GaussianNoise(sigma)


def test_wrong_photons_are_refused() -> None:
    with pytest.raises(ValueError, match="`photons` must be a positive number, got 0"):
        PoissonNoise(0)
    with pytest.raises(ValueError, match=r"`dark` must be .*, got -1"):
        PoissonNoise(10, dark=-1)


@pytest.mark.parametrize(
    ("operator", "y", "noise", "sentence"),
    [
        (
            MATRIX,
            torch.zeros(2, 4),
            GaussianNoise(1.0),
            r"must have shape \(b, 5\) for .*, got \(2, 4\)",
        ),
        (MATRIX, torch.zeros(5), GaussianNoise(1.0), r"must have shape \(b, 5\) .*, got \(5,\)"),
        (COMPLEX, torch.zeros(2, 5), GaussianNoise(1.0), "must be complex for this operator"),
        (MATRIX, torch.zeros(2, 5) + 0j, GaussianNoise(1.0), "must be real for this operator"),
        (MATRIX, torch.zeros(2, 5).int(), GaussianNoise(1.0), "floating-point"),
        (MATRIX, torch.full((2, 5), math.inf), GaussianNoise(1.0), "`y` must be finite"),
        (
            MATRIX,
            torch.zeros(2, 5),
            GaussianNoise(LEVELS),
            "one entry for each of the 2 measurements, got 3",
        ),
        (MATRIX, torch.full((2, 5), -0.5), PoissonNoise(5.0), "as low as -0.5"),
        (COMPLEX, torch.zeros(2, 5) + 0j, PoissonNoise(5.0), "for Poisson noise, got complex"),
    ],
)
def test_wrong_measurements_are_refused(
    operator: Operator, y: Tensor, noise: Noise, sentence: str
) -> None:
    with pytest.raises(ValueError, match=sentence):
        InverseProblem(operator, y, noise)


@pytest.mark.parametrize("unit", [1e-30, 1e-18, 1e20, 1e30])
@pytest.mark.parametrize("cplx", [False, True])
def test_any_unit_has_room_for_its_squares(unit: float, cplx: bool) -> None:
    """Of single precision too: fluxes in SI units are as small as that."""
    dtype = torch.complex64 if cplx else torch.float32
    y, x = _randn(2, 5, seed=1, dtype=dtype), _randn(2, 5, seed=2, dtype=dtype)
    operator = from_matrix(torch.eye(5, dtype=dtype), (5,), (5,))
    plain = InverseProblem(
        operator, y.to(y.dtype.to_complex() if cplx else F64), GaussianNoise(0.1)
    )
    problem = InverseProblem(operator, unit * y, GaussianNoise(0.1 * unit))
    assert problem.y.real.dtype == F64
    x = x.to(problem.y.dtype)
    torch.testing.assert_close(
        problem.discrepancy(unit * x), plain.discrepancy(x).to(F64), rtol=1e-5, atol=0
    )
    expected = (y - x) / (0.1**2 * unit)
    torch.testing.assert_close(
        problem.score(unit * x) / expected, torch.ones_like(x), rtol=1e-5, atol=1e-5
    )
