from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from invscore.batches import PerImage
from invscore.networks import build_network
from invscore.priors import (
    Channelwise,
    GaussianMixturePrior,
    GaussianPrior,
    NetworkPrior,
    Prior,
    StationaryGaussianPrior,
    VolumePrior,
    check_prior,
)

F64 = torch.float64


def _gaussian() -> Prior:
    root = torch.randn(6, 6, generator=torch.Generator().manual_seed(0), dtype=F64)
    return GaussianPrior(torch.ones(1, 2, 3, dtype=F64), root @ root.T)


def _singular() -> Prior:
    return GaussianPrior(torch.ones(4, dtype=F64), torch.ones(4, 4, dtype=F64))


def _mixture() -> Prior:
    means = torch.randn(5, 1, 3, 3, generator=torch.Generator().manual_seed(0), dtype=F64)
    return GaussianMixturePrior(2 * means, torch.linspace(0.1, 1, 5, dtype=F64))


def _network() -> NetworkPrior:
    torch.manual_seed(0)
    network = build_network("unet", widths=(8, 16), blocks=1)
    # The head of an untrained network is zero, and then F tells nothing.
    torch.nn.init.normal_(network.head.weight, std=0.1)  # type: ignore[arg-type, union-attr]
    return NetworkPrior(network, channels=1).requires_grad_(False)


PRIORS: dict[str, tuple[Callable[[], Prior], tuple[int, ...]]] = {
    "gaussian": (_gaussian, (1, 2, 3)),
    "singular": (_singular, (4,)),
    "isotropic": (lambda: GaussianPrior(torch.zeros(2, 2, dtype=F64), 0.3), (2, 2)),
    "mixture": (_mixture, (1, 3, 3)),
    "stationary": (
        lambda: StationaryGaussianPrior.power_law((2, 7, 6), dtype=F64),
        (2, 7, 6),
    ),
    "network": (lambda: _network().double(), (1, 8, 8)),
    "network, odd size": (lambda: _network().double(), (1, 7, 5)),
    "channelwise network": (lambda: Channelwise(_network().double()), (3, 5, 9)),
    "volume": (lambda: VolumePrior(_network().double(), together=2), (1, 6, 5, 7)),
    "volume, one plane": (lambda: VolumePrior(_network().double(), ("dw",)), (1, 6, 5, 7)),
    "channelwise gaussian": (lambda: Channelwise(_gaussian()), (4, 2, 3)),
}


@pytest.mark.parametrize("name", PRIORS)
def test_every_prior_keeps_the_contract(name: str) -> None:
    make, shape = PRIORS[name]
    report = check_prior(make(), shape, dtype=F64)
    assert report.ok, str(report)


def test_single_precision_passes_too() -> None:
    report = check_prior(_network(), (1, 9, 7))
    assert report.ok, str(report)
    field = StationaryGaussianPrior.power_law((1, 16, 16))
    assert check_prior(field, (1, 16, 16)).ok


class _Wrong(Prior):
    """A standard normal prior, with one thing wrong."""

    variance = 1.0
    has_density = True

    def __init__(self, fault: str) -> None:
        self.fault = fault

    def denoise(self, x: Tensor, sigma: PerImage) -> Tensor:
        level = torch.as_tensor(sigma, dtype=x.dtype)
        if self.fault == "number" and level.ndim == 0:
            level = 1.1 * level
        level = level.reshape(-1, *[1] * (x.ndim - 1))
        if self.fault == "sigma to 0":
            return 0.9 * x / (1 + level**2)
        if self.fault == "sigma to inf":
            return x / (1 + level.clamp_max(3) ** 2)
        if self.fault == "batch":
            x = x - 0.01 * x.mean(dim=0)
        if self.fault == "shape, dtype":
            return (x / (1 + level**2)).float()
        return x / (1 + level**2)

    def score(self, x: Tensor, sigma: PerImage) -> Tensor:
        return (2 if self.fault == "tweedie" else 1) * super().score(x, sigma)

    def pullback(self, x: Tensor, sigma: PerImage) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
        denoised, pull = super().pullback(x, sigma)
        if self.fault == "pullback":
            return denoised, lambda u: 1.01 * pull(u)
        if self.fault == "pull twice":
            return denoised, lambda u: pull(u) * u.abs().mean()
        return denoised, pull

    def log_density(self, x: Tensor, sigma: PerImage) -> Tensor:
        level = torch.as_tensor(sigma, dtype=x.dtype).reshape(-1, *[1] * (x.ndim - 1))
        factor = 0.51 if self.fault == "log_density" else 0.5
        return -factor * (x**2 / (1 + level**2)).flatten(1).sum(dim=1)


FAULTS = [
    "shape, dtype", "batch", "number", "tweedie", "pullback", "pull twice", "log_density",
    "sigma to 0", "sigma to inf",
]  # fmt: skip


def test_a_sound_prior_passes() -> None:
    report = check_prior(_Wrong("none"), (2, 3), dtype=F64)
    assert report.ok, str(report)
    assert [row.name for row in report.rows] == FAULTS
    report.raise_if_failed()


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_named(fault: str) -> None:
    report = check_prior(_Wrong(fault), (2, 3), dtype=F64)
    assert fault in [row.name for row in report.rows if not row.passed]
    assert "FAILED" in str(report)
    with pytest.raises(ValueError, match=fault):
        report.raise_if_failed()
