"""Powers of detail about each pixel, and how one tells of another."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from invscore import NetworkPrior, load_prior
from invscore.networks import build_network
from invscore.priors.detail import COUNT, FLOOR, DetailBands, DetailLaw, shipped_law

F64 = torch.float64
ARCHITECTURE = {"name": "unet", "channels": 1, "widths": [4, 8], "blocks": 1, "embedding": 8}


def noise(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=F64, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("sides", [(64, 64), (48, 65)])
def test_bands_share_every_frequency(sides: tuple[int, int]) -> None:
    bands = DetailBands(torch.zeros(1, *sides, dtype=F64))
    shares = torch.stack([bands.share(k) for k in range(COUNT)]).sum(0)
    assert shares[0, 0] == 0
    torch.testing.assert_close(shares.flatten()[1:], torch.ones_like(shares.flatten()[1:]))
    assert float(bands.numbers.sum()) == pytest.approx(sides[0] * sides[1] - 1)


@pytest.mark.parametrize("sides", [(64, 64), (48, 65)])
def test_powers_add_up_to_the_variance(sides: tuple[int, int]) -> None:
    x = noise(0, 2, 1, *sides)
    bands = DetailBands(x)
    spectrum = torch.fft.rfft2(x)
    total = torch.stack([bands.power(bands.energy(spectrum), k) for k in range(COUNT)]).sum(0)
    torch.testing.assert_close(total, x.var((-2, -1), correction=0))


def test_a_wave_has_its_power_in_its_band() -> None:
    """A quarter of a cycle a pixel is an octave below the finest: two bands."""
    wave = 0.2 * torch.cos(math.pi / 2 * torch.arange(64, dtype=F64)).expand(1, 64, 64)
    bands = DetailBands(wave)
    spectrum = torch.fft.rfft2(wave)
    found = [float(bands.power(bands.energy(spectrum), k)) for k in range(COUNT)]
    assert found[2] == pytest.approx(0.02)
    assert sum(found) - found[2] == pytest.approx(0, abs=1e-12)
    # The square, 0.02 (1 + cos(pi j)), is averaged in a window of two pixels.
    passed = math.exp(-2 * (math.pi * 2 * 0.5) ** 2)
    expected = (
        0.02 * (1 + passed * torch.cos(math.pi * torch.arange(64, dtype=F64))) + FLOOR
    ).log()
    torch.testing.assert_close(bands.log_power(spectrum, 2)[0, 5], expected)


def test_law_of_images() -> None:
    """White noise has in each band the share of its variance that the band has of frequencies."""
    images = list(0.1 * noise(1, 8, 1, 64, 64))
    law = DetailLaw.of_images(images)
    bands = DetailBands(images[0])
    torch.testing.assert_close(law.power[:6], 0.01 * bands.numbers[:6] / 64**2, rtol=0.12, atol=0.0)
    assert bool((law.mean < law.power.log()).all())  # Jensen
    assert bool((torch.linalg.eigvalsh(law.covariance) > 0).all())
    again = DetailLaw.from_metadata(law.metadata)
    torch.testing.assert_close(again.covariance, law.covariance, rtol=1e-4, atol=0.0)


@pytest.mark.parametrize("common", [0.0, 0.6])
def test_what_channels_have_in_common(common: float) -> None:
    """The correlation of their fine detail; what is coarse does not count."""
    fine = (1 - common) ** 0.5 * noise(1, 8, 3, 64, 64) + common**0.5 * noise(2, 8, 1, 64, 64)
    coarse = torch.cos(2 * math.pi * torch.arange(64, dtype=F64) / 64).expand(1, 64, 64)
    law = DetailLaw.of_images(list(0.1 * fine + coarse))
    assert law.common == pytest.approx(common, abs=0.01)
    assert DetailLaw.from_metadata(law.metadata).common == pytest.approx(law.common, rel=1e-4)
    assert DetailLaw.of_images(list(0.1 * fine[:, :1])).common == 0


def test_wrong_laws_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        DetailLaw.of_images([])
    with pytest.raises(ValueError, match="all of 10 bands"):
        DetailLaw.of_images([torch.rand(1, 8, 8)])
    with pytest.raises(ValueError, match="a mean, a covariance and a power of 10 bands"):
        DetailLaw.from_metadata({"mean": [0.0], "covariance": [[1.0]]})


def test_a_checkpoint_keeps_the_law(tmp_path: Path) -> None:
    prior = NetworkPrior(
        build_network(**ARCHITECTURE), channels=1, metadata={"architecture": ARCHITECTURE}
    )
    prior.save(tmp_path / "without.safetensors")
    assert NetworkPrior.load(tmp_path / "without.safetensors").detail is None
    prior.detail = shipped_law("photos-gray")
    prior.save(tmp_path / "with.safetensors")
    found = NetworkPrior.load(tmp_path / "with.safetensors").detail
    assert found is not None
    assert prior.detail is not None
    torch.testing.assert_close(found.covariance, prior.detail.covariance)


def test_photographs_have_it() -> None:
    gray, colour = load_prior("photos-gray-small").detail, load_prior("photos-small").detail
    assert gray is not None
    assert colour is not None
    assert gray.common == 0
    assert 0.5 < colour.common < 1
    assert load_prior("digits").detail is None


def test_every_other_band_has_frequencies_of_its_own() -> None:
    bands = DetailBands.of(torch.zeros(3, 1, 20, 21, dtype=torch.float64))
    assert DetailBands.of(torch.zeros(20, 21, dtype=torch.float64)) is bands
    for k in range(COUNT - 2):
        assert float((bands.share(k) * bands.share(k + 2)).max()) == 0
