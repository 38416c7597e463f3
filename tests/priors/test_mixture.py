import math
import time

import pytest
import torch
from torch import Tensor

from invscore.priors import Covariance, GaussianMixturePrior, GaussianPrior

K, D = 3, 4
GENERATOR = torch.Generator().manual_seed(0)
MEANS = 1.5 * torch.randn(K, D, generator=GENERATOR, dtype=torch.float64)
ROOTS = torch.randn(K, D, D, generator=GENERATOR, dtype=torch.float64)
DENSE = ROOTS @ ROOTS.mT / D + 0.1 * torch.eye(D, dtype=torch.float64)
WEIGHTS = torch.tensor([0.5, 0.2, 0.3], dtype=torch.float64)
X = 2 * torch.randn(5, D, generator=GENERATOR, dtype=torch.float64)
SIGMA = torch.tensor([0.2, 0.5, 1.0, 2.0, 6.0], dtype=torch.float64)

FORMS: dict[str, float | Tensor] = {
    "number": 0.7,
    "numbers": torch.tensor([0.3, 0.7, 2.0], dtype=torch.float64),
    "variances": DENSE.diagonal(dim1=1, dim2=2),
    "matrices": DENSE,
    "shared matrix": DENSE[:1],
}


def _dense(form: float | Tensor) -> Tensor:
    c = torch.as_tensor(form, dtype=torch.float64)
    if c.ndim <= 1:
        c = c.reshape(-1, 1).expand(-1, D)
    return (torch.diag_embed(c) if c.ndim == 2 else c).expand(K, D, D)


def _components(form: float | Tensor) -> list[GaussianPrior]:
    return [GaussianPrior(m, c) for m, c in zip(MEANS, _dense(form), strict=True)]


def test_a_prior_is_where_its_means_are() -> None:
    """And not where new tensors are made."""
    with torch.device("meta"):
        prior = GaussianMixturePrior(MEANS, 0.04)
    expected = GaussianMixturePrior(MEANS, 0.04).denoise(X, 0.4)
    torch.testing.assert_close(prior.denoise(X, 0.4), expected)


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("sigma", [0.4, SIGMA], ids=["number", "tensor"])
def test_agrees_with_its_components(form: float | Tensor, sigma: float | Tensor) -> None:
    prior = GaussianMixturePrior(MEANS, form, WEIGHTS)
    parts = _components(form)
    density = torch.stack([p.log_prob(X, sigma).exp() for p in parts], dim=1) * WEIGHTS
    share = density / density.sum(dim=1, keepdim=True)
    denoised = sum(r[:, None] * p.denoise(X, sigma) for r, p in zip(share.T, parts, strict=True))
    torch.testing.assert_close(prior.log_prob(X, sigma), density.sum(dim=1).log())
    torch.testing.assert_close(prior.responsibilities(X, sigma), share)
    torch.testing.assert_close(prior.denoise(X, sigma), denoised)


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("sigma", [0.0, 0.4, SIGMA], ids=["zero", "number", "tensor"])
def test_score_is_the_gradient_of_the_log_density(
    form: float | Tensor, sigma: float | Tensor
) -> None:
    prior = GaussianMixturePrior(MEANS, form, WEIGHTS)
    leaf = X.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(prior.log_prob(leaf, sigma).sum(), leaf)
    torch.testing.assert_close(prior.score(X, sigma), gradient)


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("sigma", [0.4, SIGMA], ids=["number", "tensor"])
def test_pullback_is_the_jacobian_of_the_denoiser(
    form: float | Tensor, sigma: float | Tensor
) -> None:
    prior = GaussianMixturePrior(MEANS, form, WEIGHTS)
    leaf = X.clone().requires_grad_()
    u = X.flip(0).cos()
    (expected,) = torch.autograd.grad(prior.denoise(leaf, sigma), leaf, u)
    denoised, pull = prior.pullback(X, sigma)
    torch.testing.assert_close(pull(u), expected)
    torch.testing.assert_close(denoised, prior.denoise(X, sigma))


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_samples_have_the_moments_of_the_mixture(form: float | Tensor) -> None:
    n = 20_000
    prior = GaussianMixturePrior(MEANS, form, WEIGHTS)
    x = prior.sample(n, 0)
    mean = WEIGHTS @ MEANS
    spread = MEANS - mean
    second = torch.einsum("k,kij->ij", WEIGHTS, _dense(form) + spread[:, :, None] * spread[:, None])
    torch.testing.assert_close(prior.mean, mean)
    torch.testing.assert_close(prior.std**2, second.diag())
    assert prior.variance == pytest.approx(float(second.diag().mean()))
    assert float(((x.mean(dim=0) - mean) * (n / second.diag()).sqrt()).abs().max()) < 4.5
    products = (x - mean)[:, :, None] * (x - mean)[:, None]
    error = (products.mean(dim=0) - second) / products.std(dim=0) * n**0.5
    assert float(error.abs().max()) < 4.5


def test_components_are_drawn_with_their_weights() -> None:
    n = 10_000
    far = torch.tensor([[0.0], [100.0], [200.0], [300.0]])
    weights = torch.tensor([0.1, 0.0, 0.7, 0.2])
    x = GaussianMixturePrior(far, torch.tensor([1.0, 1.0, 2.0, 3.0]), weights).sample(n, 5)
    counts = (x / 100).round().flatten().long().bincount(minlength=4)
    deviation = (n * weights * (1 - weights)).sqrt().clamp_min(1e-9)
    assert int(counts[1]) == 0
    assert float(((counts - n * weights) / deviation).abs().max()) < 4.5


def test_a_sample_depends_on_its_seed_alone() -> None:
    prior = GaussianMixturePrior(MEANS, DENSE, WEIGHTS)
    torch.testing.assert_close(prior.sample(5, 3)[2:4], prior.sample(2, 5), rtol=0, atol=0)


def test_far_points_keep_a_finite_density_and_score() -> None:
    prior = GaussianMixturePrior(MEANS.float(), 1e-4)
    x = torch.full((1, D), 1e3)
    nearest = (x - MEANS.float()).square().sum(dim=1).argmin()
    torch.testing.assert_close(prior.score(x, 0.0), 1e4 * (MEANS.float()[nearest] - x))
    assert bool(prior.log_prob(x).isfinite().all())


def test_equal_covariances_are_handled_together() -> None:
    assert len(GaussianMixturePrior(MEANS, torch.ones(K)).covariances) == 1
    assert len(GaussianMixturePrior(MEANS, FORMS["numbers"]).covariances) == K


def test_weights_are_normalised_and_equal_by_default() -> None:
    prior = GaussianMixturePrior(MEANS, 1.0, 7 * WEIGHTS)
    torch.testing.assert_close(prior.weights, WEIGHTS)
    torch.testing.assert_close(
        GaussianMixturePrior(MEANS, 1.0).weights, torch.full((K,), 1 / K, dtype=torch.float64)
    )


def test_images_and_covariances_of_any_form() -> None:
    images = MEANS.reshape(K, 1, 2, 2)
    shared = [Covariance.of(DENSE[0], D, torch.float64)]
    prior, flat = GaussianMixturePrior(images, shared), GaussianMixturePrior(MEANS, DENSE[:1])
    x = X.reshape(5, 1, 2, 2)
    torch.testing.assert_close(prior.denoise(x, SIGMA).flatten(1), flat.denoise(X, SIGMA))
    torch.testing.assert_close(prior.log_prob(x), flat.log_prob(X))
    assert prior.sample(2, 0).shape == (2, 1, 2, 2)
    assert prior.std.shape == prior.mean.shape == (1, 2, 2)
    single = prior.to(dtype=torch.float32)
    assert single.score(x.float(), 0.5).dtype == torch.float32


def test_the_benchmark_size_is_quick() -> None:
    prior = GaussianMixturePrior(8 * torch.randn(25, 800, generator=GENERATOR), 1.0)
    x = prior.sample(1000, 0)
    began = time.monotonic()
    denoised, pull = prior.pullback(x, 0.5)
    pull(x)
    assert time.monotonic() - began < 2
    torch.testing.assert_close(denoised.mean(), x.mean(), rtol=0.2, atol=0.05)


@pytest.mark.parametrize(
    ("means", "covariances", "weights", "sentence"),
    [
        (MEANS, torch.ones(2), None, "1 or 3 entries for 3 means, got 2"),
        (MEANS, torch.ones(K, 5), None, r"shape \(5,\)"),
        (MEANS, -1.0, None, "variances of at least 0, got -1"),
        (MEANS, 1.0, torch.ones(2), r"`weights` must have shape \(3,\), .*, got \(2,\)"),
        (
            MEANS,
            1.0,
            torch.tensor([1.0, -0.1, 0.1]),
            "`weights` must be finite, not negative and not all 0",
        ),
        (MEANS, 1.0, torch.zeros(K), "`weights` must be finite, not negative and not all 0"),
        (MEANS[0], 1.0, None, "`means` must have shape"),
        (MEANS * math.nan, 1.0, None, "NaN"),
    ],
)
def test_wrong_arguments_are_refused(
    means: Tensor, covariances: float | Tensor, weights: Tensor | None, sentence: str
) -> None:
    with pytest.raises(ValueError, match=sentence):
        GaussianMixturePrior(means, covariances, weights)
