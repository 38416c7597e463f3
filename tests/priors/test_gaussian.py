import math

import numpy as np
import pytest
import torch
from torch import Tensor

from invscore import GaussianNoise, InverseProblem, reconstruct, simulate
from invscore.operators import SuperResolution
from invscore.priors import Covariance, GaussianPrior

SHAPE = (1, 2, 3)
D = 6


def _matrix(seed: int = 0) -> Tensor:
    root = torch.randn(D, D, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return root @ root.T / D + 0.05 * torch.eye(D, dtype=torch.float64)


def _mean() -> Tensor:
    return torch.linspace(-1, 2, D, dtype=torch.float64).reshape(SHAPE)


def _images(n: int, seed: int = 1) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return 2 * torch.randn(n, *SHAPE, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("sigma", [0.3, torch.tensor([0.1, 1.0, 5.0], dtype=torch.float64)])
def test_denoiser_and_density_agree_with_dense_algebra(sigma: float | Tensor) -> None:
    c, prior, x = _matrix(), GaussianPrior(_mean(), _matrix()), _images(3)
    denoised, score, log_p = (
        prior.denoise(x, sigma),
        prior.score(x, sigma),
        prior.log_prob(x, sigma),
    )
    _, pull = prior.pullback(x, sigma)
    pulled = pull(x)
    for i, level in enumerate(torch.as_tensor(sigma, dtype=torch.float64).expand(3).tolist()):
        total = c.numpy() + level**2 * np.eye(D)
        centred = (x[i] - _mean()).numpy().ravel()
        solved = np.linalg.solve(total, centred)
        np.testing.assert_allclose(score[i].ravel(), -solved, rtol=1e-9)
        np.testing.assert_allclose(
            denoised[i].ravel(), _mean().numpy().ravel() + c.numpy() @ solved, rtol=1e-9
        )
        np.testing.assert_allclose(
            pulled[i].ravel(), c.numpy() @ np.linalg.solve(total, x[i].numpy().ravel()), rtol=1e-9
        )
        _, log_det = np.linalg.slogdet(2 * math.pi * total)
        assert float(log_p[i]) == pytest.approx(-0.5 * (centred @ solved + log_det), rel=1e-10)


def test_score_without_noise_needs_no_division_by_sigma() -> None:
    prior, x = GaussianPrior(_mean(), _matrix()), _images(2)
    expected = -torch.linalg.solve(_matrix(), (x - _mean()).flatten(1).T).T
    torch.testing.assert_close(prior.score(x, 0.0).flatten(1), expected, rtol=1e-9, atol=0)
    torch.testing.assert_close(prior.denoise(x, 0.0), x, rtol=1e-12, atol=1e-12)


def test_samples_have_the_mean_and_the_covariance() -> None:
    n = 20_000
    prior = GaussianPrior(_mean(), _matrix())
    x = (prior.sample(n, 0) - _mean()).flatten(1)
    c = _matrix()
    error = x.mean(dim=0) / (c.diag() / n).sqrt()
    assert float(error.abs().max()) < 4.5
    deviation = ((c.square() + torch.outer(c.diag(), c.diag())) / n).sqrt()
    assert float(((x.T @ x / n - c) / deviation).abs().max()) < 4.5


def test_a_sample_depends_on_its_seed_alone() -> None:
    """But for rounding: a product of matrices may add up otherwise with more rows."""
    prior = GaussianPrior(_mean(), _matrix())
    torch.testing.assert_close(prior.sample(5, 3)[2:4], prior.sample(2, 5), rtol=0, atol=1e-14)
    assert not torch.equal(prior.sample(1, 0), prior.sample(1, 1))


@pytest.mark.parametrize("variance", [2.0, torch.linspace(0.5, 3, D, dtype=torch.float64)])
def test_numbers_and_variances_stand_for_diagonal_matrices(variance: float | Tensor) -> None:
    dense = torch.diag(torch.as_tensor(variance, dtype=torch.float64).expand(D))
    prior, same, x = GaussianPrior(_mean(), variance), GaussianPrior(_mean(), dense), _images(3)
    torch.testing.assert_close(prior.covariance, dense)
    torch.testing.assert_close(prior.denoise(x, 0.7), same.denoise(x, 0.7))
    torch.testing.assert_close(prior.log_prob(x, 0.7), same.log_prob(x, 0.7))
    torch.testing.assert_close(prior.std.flatten() ** 2, dense.diag())
    assert prior.variance == pytest.approx(float(dense.diag().mean()))


def test_properties_describe_the_covariance() -> None:
    prior = GaussianPrior(_mean(), _matrix())
    torch.testing.assert_close(prior.covariance, _matrix())
    torch.testing.assert_close(prior.std.flatten() ** 2, _matrix().diag())
    assert prior.variance == pytest.approx(float(_matrix().diag().mean()))
    assert prior.shape == SHAPE


def test_a_singular_covariance_has_a_denoiser_but_no_density() -> None:
    line = torch.ones(D, D, dtype=torch.float64)
    prior, x = GaussianPrior(torch.zeros(D, dtype=torch.float64), line), _images(2).flatten(1)
    expected = x.mean(dim=1, keepdim=True).expand(2, D)
    torch.testing.assert_close(prior.denoise(x, 1e-6), expected)
    torch.testing.assert_close(prior.denoise(x, 0.0), expected)
    assert bool(prior.score(x, 0.1).isfinite().all())
    with pytest.raises(ValueError, match="singular"):
        prior.log_prob(x)


def test_to_changes_the_precision_of_everything() -> None:
    prior = GaussianPrior(_mean(), _matrix()).to(dtype=torch.float32)
    x = _images(2).float()
    assert prior.denoise(x, 0.5).dtype == torch.float32
    assert prior.sample(2, 0).dtype == torch.float32
    torch.testing.assert_close(
        prior.denoise(x, 0.5).double(), GaussianPrior(_mean(), _matrix()).denoise(x.double(), 0.5),
        rtol=1e-5, atol=1e-5,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("covariance", "sentence"),
    [
        (torch.eye(5), r"shape \(5, 5\)"),
        (torch.ones(2), r"shape \(2,\)"),
        (-torch.eye(D), "eigenvalue"),
        (-1.0, "variances of at least 0, got -1"),
        (torch.eye(D).cumsum(0), "symmetric"),
        (torch.full((D, D), math.nan), "NaN"),
    ],
)
def test_wrong_covariances_are_refused(covariance: float | Tensor, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        GaussianPrior(_mean(), covariance)


def test_wrong_images_and_levels_are_refused() -> None:
    prior = GaussianPrior(_mean(), 1.0)
    with pytest.raises(ValueError, match=r"\(b, 1, 2, 3\)"):
        prior.denoise(_images(2)[0], 1.0)
    with pytest.raises(ValueError, match="float32"):
        prior.score(_images(2).float(), 1.0)
    with pytest.raises(ValueError, match="complex"):
        prior.denoise(_images(2).to(torch.complex128), 1.0)
    with pytest.raises(
        ValueError, match=r"`sigma` must be a number or of shape \(2,\), got the shape \(3,\)"
    ):
        prior.denoise(_images(2), torch.ones(3))
    with pytest.raises(ValueError, match="mean"):
        GaussianPrior(torch.ones(3, dtype=torch.int64), 1.0)
    with pytest.raises(ValueError, match="mean"):
        GaussianPrior(torch.full((3,), math.inf), 1.0)


def test_a_prior_is_where_its_mean_is() -> None:
    """And not where new tensors are made."""
    mean = _mean()
    with torch.device("meta"):
        prior = GaussianPrior(mean, 0.04)
    torch.testing.assert_close(prior.denoise(mean[None], 0.1), mean[None])


def test_a_covariance_is_known_by_its_eigenvectors() -> None:
    covariance = Covariance.of(_matrix(), D, torch.float64)
    x = _images(4).flatten(1)
    torch.testing.assert_close(covariance.synthesise(covariance.analyse(x)), x)
    torch.testing.assert_close(
        covariance.synthesise(covariance.values * covariance.analyse(x)), x @ _matrix()
    )
    assert not covariance.isotropic
    assert Covariance.of(0.5, D, torch.float64).isotropic
    assert not Covariance.of(torch.arange(6.0), D, torch.float64).isotropic


def test_a_covariance_follows_the_mean() -> None:
    """To its precision and its device; one of another size is refused."""
    given = Covariance.of(_matrix(), D, torch.float64)
    prior = GaussianPrior(_mean().float(), given)
    assert prior.eigenvalues.dtype == prior.covariance.dtype == torch.float32
    torch.testing.assert_close(prior.covariance.double(), _matrix(), rtol=1e-5, atol=1e-6)
    there = Covariance.of(given, D, torch.float32, torch.device("meta"))
    assert there.values.is_meta
    assert there.basis is not None
    assert there.basis.is_meta
    assert not given.values.is_meta
    with pytest.raises(
        ValueError, match=f"must be one of {D - 1} numbers, as the mean is, got {D}"
    ):
        Covariance.of(given, D - 1, torch.float64)


def test_images_of_another_shape_are_refused() -> None:
    """Of one that would broadcast too."""
    prior = GaussianPrior(torch.zeros(1, 8, 8), 1.0)
    for shape in ((1, 1, 4, 4), (1, 1, 1, 1), (2, 3, 8, 8)):
        with pytest.raises(ValueError, match=r"must have shape \(b, 1, 8, 8\)"):
            prior.denoise(torch.zeros(shape), 0.1)


def test_smaller_pictures_are_restored_by_a_prior_of_one_shape() -> None:
    """Whose level cannot be checked by that prior, and is not."""
    shape = (1, 16, 16)
    prior = GaussianPrior(torch.full(shape, 0.5), 0.04)
    operator = SuperResolution(2, shape)
    y = simulate(operator, prior.sample(1, 0), GaussianNoise(0.05), 0)
    result = reconstruct(InverseProblem(operator, y, GaussianNoise(0.05)), prior, samples=2)
    assert result.warnings == ()
