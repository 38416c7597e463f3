"""Training on noise that differs between pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from invscore.priors import GaussianPrior, NetworkPrior, load_prior
from invscore.priors.noise_covariance import Basis, NoiseCovariance
from invscore.training.batches import Batches
from invscore.training.config import TrainConfig
from invscore.training.data import open_source
from invscore.training.loop import Progress, train
from invscore.training.loss import LOSSES
from invscore.training.noise_maps import KINDS, MEASURED, noise_maps, random_weights
from invscore.training.objectives import denoising_score_matching

F64 = torch.float64


def with_maps(config: TrainConfig, share: float, **others: Any) -> TrainConfig:
    noise = {**config.noise.model_dump(), "maps": share}
    return TrainConfig.model_validate({**config.model_dump(), "noise": noise, **others})


def told_of_maps(function: Any) -> nn.Module:
    network = nn.Identity()
    network.forward = function  # type: ignore[method-assign]
    network.noise_maps = True  # type: ignore[assignment]
    return network


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [(9, 6), (1, 1), (2, 30)])
def test_weights_lie_between_0_and_1(kind: Any, size: tuple[int, int]) -> None:
    random = np.random.default_rng(0)
    drawn = np.stack([kind(size, random) for _ in range(50)])
    assert drawn.shape == (50, *size)
    assert drawn.min() >= 0
    assert drawn.max() <= 1
    assert size == (1, 1) or not (drawn == drawn[0]).all()


def test_both_what_is_measured_and_what_is_not() -> None:
    random = np.random.default_rng(0)
    means = [random_weights((12, 12), random).mean() for _ in range(400)]
    assert np.mean(means) == pytest.approx(0.5, abs=4 * 0.5 / 400**0.5)
    assert np.quantile(means, 0.1) < 0.2 < 0.8 < np.quantile(means, 0.9)


def test_maps_are_the_precision_of_two_measurements(make_config: Any) -> None:
    """1 / map^2 - 1 / sigma^2 is m / s^2: one s an image, within its range; 0 in white ones."""
    config, shape = with_maps(make_config(), 0.5), (400, 1, 8, 8)
    sigma = np.exp(np.random.default_rng(1).uniform(-4, 2, 400)).astype(np.float32)
    maps = noise_maps(config, shape, sigma, np.random.default_rng(0))
    assert maps.dtype == torch.float32
    level = torch.from_numpy(sigma)[:, None, None, None]
    assert (maps <= 1.0001 * level).all()
    changed = (maps < 0.9999 * level).flatten(1).any(dim=1)
    # A mask may have measured nothing, and sigma may be far below s.
    assert 0.3 < changed.float().mean() < 0.55
    best = (maps.double() ** -2 - level.double() ** -2).flatten(1).amax(dim=1)[changed] ** -0.5
    assert best.min() > 0.99 * MEASURED[0]
    low, high = config.prior.sigma_min, config.prior.sigma_max
    assert maps.min() >= 0.999 * low
    assert maps.max() <= 1.001 * high


def test_channels_are_measured_apart_in_some(make_config: Any) -> None:
    config = with_maps(make_config(), 1.0)
    sigma = np.full(200, 2.0, dtype=np.float32)
    maps = noise_maps(config, (200, 3, 8, 8), sigma, np.random.default_rng(0))
    alike = (maps == maps[:, :1]).flatten(1).all(dim=1)
    assert 0.1 < (~alike).float().mean() < 0.4


def test_the_loss_of_the_exact_denoiser() -> None:
    """Of independent Gaussian pixels with EDM's weight, 1: 1 / c_out^2 times the variance left."""

    zero = told_of_maps(lambda x, _noise, _relative=None: torch.zeros_like(x))
    prior = NetworkPrior(zero, channels=1, mean=0.4, sigma_data=0.3)
    generator = torch.Generator().manual_seed(0)
    clean = GaussianPrior(torch.full((1, 20, 20), 0.4, dtype=F64), 0.09).sample(100, 0)
    maps = 0.01 * 500 ** torch.rand(clean.shape, generator=generator, dtype=F64)
    noise = torch.randn(clean.shape, generator=generator, dtype=F64)
    loss = denoising_score_matching(prior, clean, maps[:, 0, 0, 0], noise, maps)
    assert loss.item() == pytest.approx(1, abs=4 * (2 / clean.numel()) ** 0.5)


def test_white_maps_are_no_maps() -> None:
    scaled = told_of_maps(lambda x, noise, _relative=None: x * noise[:, None, None, None])
    prior = NetworkPrior(scaled, channels=1)
    clean, noise = torch.rand(2, 3, 1, 4, 4, dtype=F64)
    sigma = torch.tensor([0.1, 1.0, 3.0], dtype=F64)
    maps = sigma[:, None, None, None].expand(clean.shape)
    white = denoising_score_matching(prior, clean, sigma, noise)
    torch.testing.assert_close(denoising_score_matching(prior, clean, sigma, noise, maps), white)


def test_a_run_with_maps_goes_on_as_the_same(make_config: Any) -> None:
    straight = with_maps(make_config("straight"), 0.5)
    broken = with_maps(make_config("broken"), 0.5)

    class Interrupted(Exception):
        pass

    def stop(progress: Progress) -> None:
        if progress.step == 3:
            raise Interrupted

    with pytest.raises(Interrupted):
        train(broken, on_step=stop)
    ours, theirs = load_prior(train(broken)), load_prior(train(straight))
    assert isinstance(ours, NetworkPrior)
    assert isinstance(theirs, NetworkPrior)
    assert ours.noise_kinds == {"pixels"}
    assert ours.metadata["architecture"]["noise_maps"] is True
    for w, v in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.equal(w, v)


def test_it_begins_as_the_prior_that_it_starts_from(make_config: Any) -> None:
    plain = train(make_config("plain"))
    config = with_maps(make_config("maps", learning_rate=1e-12), 0.5, init=str(plain))
    before, after = load_prior(plain), load_prior(train(config))
    x = torch.rand(2, 1, 16, 16)
    torch.testing.assert_close(after.denoise(x, 0.3), before.denoise(x, 0.3))
    coloured = NoiseCovariance(Basis("pixels"), torch.full_like(x, 0.09))
    torch.testing.assert_close(after.denoise_with(x, coloured), before.denoise(x, 0.3))


def test_a_run_without_maps_begins_as_a_prior_that_takes_them(make_config: Any) -> None:
    """What takes maps is left behind: of white noise it says nothing."""
    origin = train(with_maps(make_config("maps", learning_rate=0.01), 0.5))
    plain = make_config("plain", learning_rate=1e-12).model_dump() | {"init": str(origin)}
    before, after = load_prior(origin), load_prior(train(TrainConfig.model_validate(plain)))
    assert before.noise_kinds
    assert not after.noise_kinds
    x = torch.rand(2, 1, 16, 16)
    torch.testing.assert_close(after.denoise(x, 0.3), before.denoise(x, 0.3))
    energy = plain | {
        "out": origin.parents[1] / "energy",
        "network": plain["network"] | {"energy": True},
    }
    assert load_prior(train(TrainConfig.model_validate(energy))).has_density


def test_what_a_run_without_maps_draws_is_as_it_was(make_config: Any) -> None:
    plain = make_config()
    source = open_source(plain.data, "train", channels=1)
    (before,), (after,) = (Batches(c, source)(2) for c in (plain, with_maps(plain, 1.0)))
    for name in ("clean", "sigma", "noise"):
        assert torch.equal(getattr(before, name), getattr(after, name))
    assert before.maps is None
    assert after.maps is not None
    assert after.maps.shape == after.clean.shape


@pytest.mark.parametrize("objective", sorted(LOSSES.keys() - {"denoising"}))
def test_other_objectives_are_refused(make_config: Any, objective: str) -> None:
    with pytest.raises(ValueError, match=r"`noise\.maps` must be 0"):
        with_maps(make_config(), 0.5, objective=objective)


def test_energies_are_refused(make_config: Any) -> None:
    network = {**make_config().network.model_dump(), "energy": True}
    with pytest.raises(ValueError, match=r"`noise\.maps` must be 0"):
        with_maps(make_config(), 0.5, network=network)
