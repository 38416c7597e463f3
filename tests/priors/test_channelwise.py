import pytest
import torch

from invscore.priors import Channelwise, GaussianPrior

PRIOR = GaussianPrior(
    torch.linspace(0, 1, 6, dtype=torch.float64).reshape(1, 2, 3),
    torch.linspace(0.1, 2, 6, dtype=torch.float64),
)
X = torch.randn(4, 3, 2, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
SIGMA = torch.tensor([0.1, 0.5, 1.0, 4.0], dtype=torch.float64)


@pytest.mark.parametrize("sigma", [0.3, SIGMA], ids=["number", "tensor"])
def test_each_channel_is_an_image_of_the_prior(sigma: float | torch.Tensor) -> None:
    prior = Channelwise(PRIOR)
    denoised, pull = prior.pullback(X, sigma)
    for channel in range(3):
        part = X[:, channel : channel + 1]
        own = slice(channel, channel + 1)
        torch.testing.assert_close(prior.denoise(X, sigma)[:, own], PRIOR.denoise(part, sigma))
        torch.testing.assert_close(prior.score(X, sigma)[:, own], PRIOR.score(part, sigma))
        torch.testing.assert_close(denoised[:, own], PRIOR.denoise(part, sigma))
        torch.testing.assert_close(pull(X)[:, own], PRIOR.pullback(part, sigma)[1](part))


def test_the_description_of_the_prior_is_carried_over() -> None:
    inner = GaussianPrior(PRIOR.mean, 0.25)
    inner.peak, inner.sigma_min, inner.sigma_max = 1.0, 0.01, 10.0
    prior = Channelwise(inner)
    assert (prior.variance, prior.peak) == (0.25, 1.0)
    assert (prior.sigma_min, prior.sigma_max) == (0.01, 10.0)


def test_the_score_without_noise_is_that_of_the_prior() -> None:
    assert bool(Channelwise(PRIOR).score(X, 0.0).isfinite().all())


def test_complex_images_and_wrong_shapes_are_refused() -> None:
    prior = Channelwise(PRIOR)
    with pytest.raises(ValueError, match="must be real ones"):
        prior.denoise(X.to(torch.complex128), 0.1)
    with pytest.raises(ValueError, match=r"\(b, c, h, w\)"):
        prior.score(X[0], 0.1)
    with pytest.raises(
        ValueError, match=r"`sigma` must be a number or of shape \(4,\), got the shape \(12,\)"
    ):
        prior.pullback(X, torch.ones(12))
