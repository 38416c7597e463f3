"""Volumes: detail across slices is told apart, and a place from its neighbours in other slices."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from invscore import GaussianNoise, InverseProblem, reconstruct, simulate
from invscore.batches import PerImage, per_image
from invscore.methods import METHODS
from invscore.methods.auto import resolve
from invscore.methods.gaussian_field.frequency_bands import FrequencyBands
from invscore.methods.matched_spectrum.denoiser_covariance import DenoiserCovariance
from invscore.methods.matched_spectrum.local_answer import LocalAnswer
from invscore.methods.matched_spectrum.local_scale import WIDTH, LocalScale
from invscore.networks import build_network
from invscore.operators import Blur, Identity, LinearOperator, Slicewise, SuperResolution
from invscore.priors import NetworkPrior, Prior, VolumePrior
from invscore.rng import SampleRNG

F64 = torch.float64
AXES = (-3, -2, -1)
SIDE = 16
SHAPE = (1, SIDE, SIDE, SIDE)


class Field(Prior):
    """A stationary Gaussian volume of power ``|f|^-3``, in closed form."""

    mean, symmetric = 0.5, True

    def __init__(self) -> None:
        f = torch.fft.fftfreq(SIDE, dtype=F64)
        size = (f[:, None, None] ** 2 + f[:, None] ** 2 + f**2).sqrt()
        self.power = size.clamp_min(1 / SIDE) ** -3 / 1e4
        self.variance = float(self.power.mean())

    def denoise(self, x: Tensor, sigma: PerImage) -> Tensor:
        gain = self.power / (self.power + per_image(sigma, x) ** 2)
        return self.mean + self.filter(x - self.mean, gain)

    def filter(self, x: Tensor, gain: Tensor) -> Tensor:
        return torch.fft.ifftn(torch.fft.fftn(x, dim=AXES) * gain, dim=AXES).real

    def sample(self, count: int, rng: SampleRNG | int) -> Tensor:
        assert isinstance(rng, int)
        return self.mean + self.filter(white(count, rng), self.power.sqrt())


FIELD = Field()


def white(count: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, *SHAPE, dtype=F64, generator=generator)


@pytest.mark.parametrize("sigma", [0.03, 0.1, 0.5])
def test_the_response_of_a_volume_is_found_in_every_direction(sigma: float) -> None:
    clean = FIELD.sample(1, 5)
    x = clean + sigma * white(1, 2)
    bands = FrequencyBands(x)
    denoised = FIELD.denoise(x, sigma)
    d, c, spectrum = (bands.spectrum(z - FIELD.mean) for z in (denoised, clean, x))
    found = DenoiserCovariance(bands).estimate(d, c, spectrum, sigma)
    truth = sigma**2 * FIELD.power / (FIELD.power + sigma**2)
    error = (found[0, 0] / truth - 1).abs()
    assert float(error.mean()) < 0.05
    assert float(error.quantile(0.97)) < 0.2


BLURRED = Slicewise(Blur(torch.ones(1, 5, dtype=F64) / 5, (1, SIDE, SIDE)), SIDE)


@pytest.mark.parametrize("operator", [Identity(SHAPE), BLURRED], ids=["noise", "blur"])
def test_draws_of_a_volume_spread_as_its_posterior_at_every_frequency(
    operator: LinearOperator,
) -> None:
    """By the frequency across slices and in their plane: power p and gain a leave
    ``1 / (1 / p + a^2 / s^2)``."""
    noise = GaussianNoise(0.05)
    y = simulate(operator, FIELD.sample(1, 1), noise, 0)
    problem = InverseProblem(operator, y, noise)
    result = reconstruct(problem, FIELD, method="matched_spectrum", samples=32, scale=1.0)
    impulse = torch.zeros(1, *SHAPE, dtype=F64)
    impulse[..., 0, 0, 0] = 1
    gain = torch.fft.fftn(operator.normal(impulse), dim=AXES)[0, 0].real
    left = 1 / (1 / FIELD.power + gain / 0.05**2)
    apart = result.samples[:, 0, 0] - result.samples[:, 0, 0].mean(dim=0)
    drawn = torch.fft.fftn(apart, dim=AXES, norm="ortho").abs().square().sum(dim=0) / 31
    f = torch.fft.fftfreq(SIDE, dtype=F64).abs()
    across, along = f[:, None, None], torch.hypot(f[:, None], f)
    for slow in (across <= 0.2, across > 0.2):
        for coarse in (along <= 0.25, along > 0.25):
            inside = (slow & coarse).expand(SIDE, SIDE, SIDE)
            assert float(drawn[inside].mean() / left[inside].mean()) == pytest.approx(1, abs=0.06)


def test_what_slices_share_with_their_neighbours_alone() -> None:
    """The window of the scale is a Gaussian over three axes."""
    impulse = torch.zeros(1, *SHAPE, dtype=F64)
    impulse[0, 0, 5, 5, 5] = 1
    seen = LocalScale(FrequencyBands(impulse)).windowed(impulse)[0, 0]
    assert float(seen.sum()) == pytest.approx(1)
    expected = float(torch.tensor(-(3**2) / (2 * WIDTH**2)).exp())
    for line in (seen[:, 5, 5], seen[5, :, 5], seen[5, 5]):
        assert float(line[8] / line[5]) == pytest.approx(expected, rel=0.03)


def test_slices_have_a_scale_of_their_own() -> None:
    """0.8 of the noise passes in one half of the slices, 0.1 in the other."""
    noise = white(1, 0).sgn()
    passed = torch.full_like(noise, 0.1)
    passed[:, :, :8] = 0.8
    local = LocalAnswer(FrequencyBands(noise))
    local.see(noise, passed * noise, 1.0)
    scale = local.scale(noise).square()
    assert float(scale[:, :, 4].mean() / scale[:, :, 12].mean()) > 4


def test_detail_of_volumes_spreads_as_is_told() -> None:
    network = build_network("unet", channels=1, widths=(4, 8), blocks=1, embedding=8)
    prior = NetworkPrior(network, channels=1, sigma_max=20.0)
    image = SuperResolution(2, (1, 40, 40))  # smaller ones begin at higher levels
    for operator, spread in ((image, "seen"), (Slicewise(image, 4), "local")):
        problem = InverseProblem(operator, torch.zeros(1, *operator.out_shape), GaussianNoise(0.1))
        served = VolumePrior(prior) if spread == "local" else prior
        _, options = resolve(problem, served, METHODS["auto"].options({}))
        assert (options["steps"], options["spread"]) == (10, spread)
