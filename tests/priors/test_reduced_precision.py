"""A prior evaluated in bfloat16: near to float32, by the network alone, and refused of others."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from invscore import GaussianNoise, GaussianPrior, InverseProblem, driver, reconstruct, simulate
from invscore.hardware.precision import precision_warnings
from invscore.networks import build_network
from invscore.operators import Blur
from invscore.priors import Channelwise, DenoiserPrior, EnergyPrior, NetworkPrior, Prior
from invscore.priors.reduced_precision import evaluated_in
from invscore.priors.tiled import Tiled

SHAPE = (1, 32, 32)
HALF = 2.0**-8
"""The relative error of a number in bfloat16."""


def tiny() -> NetworkPrior:
    torch.manual_seed(0)
    network = build_network(name="unet", channels=1, widths=[8, 16], blocks=1, embedding=16)
    for weight in network.parameters():  # the last layer begins at 0
        nn.init.normal_(weight, std=0.1)
    return NetworkPrior(network.requires_grad_(False), channels=1)


def shrinking() -> DenoiserPrior:
    torch.manual_seed(0)
    layer = nn.Conv2d(1, 1, 3, padding=1).requires_grad_(False)
    return DenoiserPrior(
        lambda z, s: z - s.reshape(-1, 1, 1, 1) * layer(z),
        channels=1,
        sigma_min=0.01,
        sigma_max=5.0,
    )


@pytest.mark.parametrize("make", [tiny, shrinking])
@pytest.mark.parametrize("sigma", [0.02, 0.5])
def test_it_is_near_and_not_the_same(make: type[Prior], sigma: float) -> None:
    prior, x = make(), torch.rand(2, *SHAPE)
    exact, near = prior.denoise(x, sigma), evaluated_in(prior, "bf16").denoise(x, sigma)
    error = (exact - near).abs().max()
    # What the network does to the image carries the error, and the image itself does not.
    assert 0 < error < 8 * HALF * (exact - x).abs().max()
    assert near.dtype == torch.float32
    assert torch.equal(prior.denoise(x, sigma), exact)  # the prior that was given is as it was


def test_derivatives_are_near() -> None:
    prior, x, u = tiny(), torch.rand(1, *SHAPE), torch.rand(1, *SHAPE)
    exact, near = (p.pullback(x, 0.3)[1](u) for p in (prior, evaluated_in(prior, "bf16")))
    assert 0 < (exact - near).abs().max() < 16 * HALF * exact.abs().max()


def test_priors_around_a_network_are_reached() -> None:
    prior, x = tiny(), torch.rand(1, 3, 32, 32)
    around = Channelwise(prior)
    near = evaluated_in(around, "bf16").denoise(x, 0.3)
    assert torch.equal(near, Channelwise(evaluated_in(prior, "bf16")).denoise(x, 0.3))
    assert not torch.equal(near, around.denoise(x, 0.3))
    tiled = evaluated_in(Tiled(prior, 16, 16), "bf16")
    assert isinstance(tiled, Tiled)
    assert isinstance(tiled.prior, NetworkPrior)
    assert tiled.prior.precision == "bf16"


@pytest.mark.parametrize("method", ["auto", "dps"])
def test_samples_are_near(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "precision_warnings", lambda *_: ("slow",))
    operator, noise = Blur.gaussian(1.0, SHAPE), GaussianNoise(0.05)
    problem = InverseProblem(operator, simulate(operator, torch.rand(1, *SHAPE), noise), noise)
    exact, near = (
        reconstruct(problem, tiny(), method=method, samples=2, steps=6, precision=precision)
        for precision in ("fp32", "bf16")
    )
    error = (exact.samples - near.samples).square().mean().sqrt()
    assert 0 < error < 0.1 * exact.std.square().mean().sqrt()
    assert near.warnings[0] == "slow"


def test_what_has_no_network_is_refused() -> None:
    network = build_network("unet", energy=True, widths=[8], blocks=1, embedding=16)
    gaussian = GaussianPrior(torch.zeros(SHAPE), 0.1)
    assert evaluated_in(gaussian, "fp32") is gaussian
    with pytest.raises(ValueError, match="type GaussianPrior, which has no network"):
        evaluated_in(Tiled(gaussian, 8, 0), "bf16")
    with pytest.raises(ValueError, match="type EnergyPrior, which has a density"):
        evaluated_in(EnergyPrior(network, channels=1), "bf16")
    with pytest.raises(ValueError, match="`precision` must be fp32 or bf16, got 'fp16'"):
        evaluated_in(gaussian, "fp16")  # type: ignore[arg-type]


@pytest.mark.parametrize("fast", [True, False])
def test_emulation_is_told(fast: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("invscore.hardware.precision.bfloat16_is_fast", lambda _: fast)
    cpu: torch.device = torch.device("cpu")
    assert len(precision_warnings("bf16", cpu)) == (0 if fast else 1)
    assert not precision_warnings("fp32", cpu)


def test_levels_stay_exact() -> None:
    """Near 0 the image comes back as it is, to more digits than bfloat16 has."""
    x: Tensor = torch.rand(1, *SHAPE)
    assert (evaluated_in(tiny(), "bf16").denoise(x, 1e-5) - x).abs().max() < 1e-4
