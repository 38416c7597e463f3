import pytest
import torch
from torch import Tensor

from invscore.priors import GaussianPrior, StationaryGaussianPrior

SHAPES = [(1, 4, 6), (2, 5, 3), (4, 5)]


def _prior(shape: tuple[int, ...]) -> StationaryGaussianPrior:
    generator = torch.Generator().manual_seed(0)
    kernel = torch.randn(shape, generator=generator, dtype=torch.float64)
    spectrum = torch.fft.fft2(kernel).abs() ** 2 / 10 + 0.1
    mean = torch.randn(shape, generator=generator, dtype=torch.float64)
    return StationaryGaussianPrior(mean, spectrum)


def _circulant(prior: StationaryGaussianPrior) -> Tensor:
    """The covariance, pixel by pixel, from the covariance function: no Fourier filtering."""
    shape = prior.shape
    h, w = shape[-2:]
    function = torch.fft.ifft2(prior.spectrum).real.reshape(-1, h, w)
    d = h * w
    rows, columns = torch.arange(d) // w, torch.arange(d) % w
    blocks = [
        f[(rows[:, None] - rows) % h, (columns[:, None] - columns) % w] for f in function
    ]  # fmt: skip
    matrix: Tensor = torch.block_diag(*blocks)  # type: ignore[no-untyped-call]
    return matrix


@pytest.mark.parametrize("shape", SHAPES)
def test_agrees_with_the_dense_gaussian(shape: tuple[int, ...]) -> None:
    prior = _prior(shape)
    dense = GaussianPrior(prior.mean, _circulant(prior))
    generator = torch.Generator().manual_seed(1)
    x, u = torch.randn(2, 3, *shape, generator=generator, dtype=torch.float64)
    sigma = torch.tensor([0.1, 0.5, 2.0], dtype=torch.float64)
    torch.testing.assert_close(prior.denoise(x, sigma), dense.denoise(x, sigma))
    torch.testing.assert_close(prior.score(x, 0.0), dense.score(x, 0.0))
    torch.testing.assert_close(prior.log_prob(x, sigma), dense.log_prob(x, sigma))
    torch.testing.assert_close(prior.pullback(x, sigma)[1](u), dense.pullback(x, sigma)[1](u))
    torch.testing.assert_close(prior.std, dense.std)
    torch.testing.assert_close(prior.dense_covariance().matrix, _circulant(prior))
    assert prior.variance == pytest.approx(dense.variance)


def test_samples_have_the_spectrum() -> None:
    n, prior = 10_000, _prior((1, 4, 5))
    x = prior.sample(n, 0)
    power = torch.fft.fft2(x - prior.mean).abs().square() / 20
    # Exponential (or chi-squared, at real frequencies) laws deviate by at most sqrt(2) their mean.
    error = (power.mean(dim=0) / prior.spectrum - 1) * (n / 2) ** 0.5
    assert float(error.abs().max()) < 4.5
    standard = (x.mean(dim=0) - prior.mean) / prior.std * n**0.5
    assert float(standard.abs().max()) < 4.5


def test_power_law_has_its_exponent_and_variance() -> None:
    prior = StationaryGaussianPrior.power_law(
        (3, 32, 32), exponent=2.5, variance=0.04, mean=0.5, dtype=torch.float64
    )
    assert prior.variance == pytest.approx(0.04)
    torch.testing.assert_close(prior.std, torch.full((3, 32, 32), 0.2, dtype=torch.float64))
    spectrum = prior.spectrum[0]
    assert float(spectrum[0, 1] / spectrum[0, 2]) == pytest.approx(2**2.5)
    assert float(spectrum[0, 2] / spectrum[0, 8]) == pytest.approx(4**2.5)
    assert float(spectrum[3, 4] / spectrum[0, 5]) == pytest.approx(1)
    assert float(spectrum[0, 0] / spectrum[0, 1]) == pytest.approx(1)
    assert float(prior.mean.mean()) == 0.5


def test_images_of_the_usual_size_are_cheap() -> None:
    prior = StationaryGaussianPrior.power_law((1, 256, 256), variance=0.05)
    x = prior.sample(2, 0)
    assert x.shape == (2, 1, 256, 256)
    assert float(x.std()) == pytest.approx(0.05**0.5, rel=0.5)
    assert prior.to(dtype=torch.float64).denoise(x.double(), 0.1).dtype == torch.float64


def test_wrong_spectra_are_refused() -> None:
    mean = torch.zeros(1, 4, 4)
    with pytest.raises(ValueError, match=r"`spectrum` must have shape .*, got \(4, 3\)"):
        StationaryGaussianPrior(mean, torch.ones(4, 3))
    with pytest.raises(ValueError, match="negative"):
        StationaryGaussianPrior(mean, torch.arange(16.0).reshape(4, 4))
    with pytest.raises(ValueError, match="must not be negative, got -1"):
        StationaryGaussianPrior(mean, -torch.ones(4, 4))
    with pytest.raises(ValueError, match="NaN"):
        StationaryGaussianPrior(mean, torch.full((4, 4), float("nan")))
