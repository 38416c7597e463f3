"""What a GPU gives is what the CPU gives. Without one these tests skip themselves."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from invscore import GaussianNoise, InverseProblem, reconstruct, simulate
from invscore import driver as driver_module
from invscore.driver import NumericalError
from invscore.networks import build_network
from invscore.operators import MRI, Blur, Inpainting, LinearOperator
from invscore.priors import NetworkPrior, Prior
from invscore.rng import AntitheticRNG, SampleRNG

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
SHAPE = (1, 32, 32)
OPERATORS: dict[str, LinearOperator] = {
    "blur": Blur.gaussian(1.2, SHAPE),
    "mask": Inpainting.random(SHAPE, keep=0.4),
    "mri": MRI.random(SHAPE, acceleration=2, real=True),
}


@pytest.fixture(autouse=True)
def _alike(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same random numbers, and convolutions in full single precision."""
    monkeypatch.setattr(driver_module, "SampleRNG", lambda keys, _: SampleRNG(keys))
    monkeypatch.setattr(driver_module, "AntitheticRNG", lambda k, i, _: AntitheticRNG(k, i))
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)


def network_prior() -> NetworkPrior:
    torch.manual_seed(0)
    network = build_network(name="unet", channels=1, widths=[8, 16], blocks=1, embedding=16)
    return NetworkPrior(network.requires_grad_(False), channels=1)


def samples(
    operator: LinearOperator, prior: Prior, y: Tensor, method: str, device: str
) -> tuple[Tensor, tuple[str, ...]]:
    problem = InverseProblem(operator.to(device), y.to(device), GaussianNoise(0.05))
    result = reconstruct(problem, prior, method=method, samples=2, steps=6)
    assert result.samples.device.type == device
    return result.samples.cpu(), result.warnings


@pytest.mark.parametrize("kind", OPERATORS)
@pytest.mark.parametrize("method", ["auto", "diffpir", "dps", "ddrm", "red_diff"])
def test_methods_agree_with_the_cpu(method: str, kind: str) -> None:
    truth = torch.rand(1, *SHAPE, generator=torch.Generator().manual_seed(1))
    operator, prior = OPERATORS[kind], network_prior()
    y = simulate(operator, truth, GaussianNoise(0.05), 2)
    here, told = samples(operator, prior, y, method, "cpu")
    there, also_told = samples(operator, prior.to("cuda"), y, method, "cuda")
    assert (here - there).abs().max() < 1e-4 * here.abs().max()
    assert len(told) == len(also_told)


def test_divergence_is_told() -> None:
    class Diverging(NetworkPrior):
        def denoise(self, x: Tensor, sigma: float | Tensor) -> Tensor:
            return super().denoise(x, sigma) * torch.nan

    prior = Diverging(network_prior().network, channels=1).to("cuda")
    y = torch.rand(1, *SHAPE)
    with pytest.raises(NumericalError, match="by step"):
        samples(OPERATORS["blur"], prior, y, "diffpir", "cuda")
