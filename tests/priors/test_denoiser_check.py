"""The self-test of denoisers: right ones pass, wrong wrappers of them are caught and named."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
import torch
from torch import Tensor

from invscore.images import crop_and_shrink, load_image
from invscore.priors import (
    DenoiserPrior,
    DiffusionPrior,
    GaussianPrior,
    Prior,
    check_denoiser,
    denoiser_check,
    load_prior,
)
from invscore.priors.own_images import own_images

ABAR = torch.cumprod(1 - torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64), dim=0)
LOGS = ((1 - ABAR) / ABAR).log() / 2
LEVELS = {"sigma_min": 0.005, "sigma_max": 20.0}


@cache
def images(name: str) -> Tensor:
    """Few and small ones: digits that the prior itself has drawn, or photographs."""
    if "digits" in name:
        drawn = own_images(right("digits"), 3, steps=8)
        assert drawn is not None
        return drawn
    loaded = [load_image(which) for which in ("coffee", "astronaut")]
    shown = torch.stack([crop_and_shrink(image, 24) for image in loaded])
    return shown if name == "photos" else shown.mean(dim=1, keepdim=True)


@cache
def right(name: str) -> Prior:
    return load_prior(name)


WRAPPED = ("photos-gray", "digits", "digits-early")
SHIPPED = ("photos-gray", "photos", "digits", "digits-early", "digits-energy")


@pytest.mark.parametrize("name", SHIPPED)
def test_right_networks_pass(name: str) -> None:
    report = check_denoiser(right(name), images(name))
    assert report.ok, str(report)
    assert report.likely is None


@pytest.mark.parametrize("name", ["photos-gray", "digits", "brain-mri"])
def test_on_images_of_its_own(name: str) -> None:
    """Without any images of the user's: the complex prior too."""
    prior = load_prior(name)
    drawn = own_images(prior, 1, steps=8)
    assert drawn is not None
    assert check_denoiser(prior, drawn, quick=True).ok


@pytest.mark.parametrize("name", WRAPPED)
def test_told_half_of_the_noise_on_images_of_its_own(name: str) -> None:
    """It draws noisy images and serves them well: its variance tells."""
    for kind, ok in (("right", True), ("sigma not doubled", False)):
        prior = wrong(kind, right(name))
        prior.metadata = {"shape": [1, 28, 28]}
        drawn = own_images(prior)
        assert drawn is not None
        report = check_denoiser(prior, drawn, own=True)
        assert report.ok or not ok
        warned = any("told too little noise" in warning for warning in report.warnings)
        assert warned is not ok, str(report)


def test_the_exact_denoiser() -> None:
    """On images that a Gaussian prior has drawn, its denoiser has all that a mean has."""
    side = 6
    place = torch.arange(side * side)
    near = (-(place[:, None] - place).abs() / 3.0).exp() / 16
    prior = GaussianPrior(torch.full((side * side,), 0.5), near.float())
    drawn = prior.sample(4000, rng=0)
    report = check_denoiser(prior, drawn)
    assert report.ok
    for row in report.levels:
        assert abs(row.bias) < 0.02
        assert row.divergence == pytest.approx(1, abs=0.1)
        assert row.half > 1
        assert row.twice > 1


def network(prior: Prior, predicts: str) -> Callable[[Tensor, Tensor], Tensor]:
    """The network of a variance-preserving diffusion on [-1, 1] with the denoiser of ``prior``."""

    def call(x: Tensor, t: Tensor) -> Tensor:
        low = t.long().clamp(0, 998)
        log = torch.lerp(LOGS[low], LOGS[low + 1], t.double() - low)
        s = log.exp().float().reshape(-1, 1, 1, 1)
        z = x * (1 + s**2).sqrt()
        z0 = 2 * prior.denoise((z + 1) / 2, s.flatten() / 2) - 1
        noise = (z - z0) / s
        return noise if predicts == "epsilon" else (noise - s * z0) / (1 + s**2).sqrt()

    return call


def diffusion(F: Callable[[Tensor, Tensor], Tensor], channels: int, **options: Any) -> Prior:
    given = {"predicts": "epsilon", "alphas_cumprod": ABAR, **options}
    return DiffusionPrior(F, channels=channels, **given)  # type: ignore[arg-type]


def wrong(kind: str, prior: Prior) -> Prior:
    """A wrapper of the network of ``prior``, as users write them."""
    channels = prior.channels
    assert channels is not None

    def own(z: Tensor, s: Tensor) -> Tensor:  # what it is on [-1, 1]
        return 2 * prior.denoise((z + 1) / 2, s / 2) - 1

    def wrapped(D: Callable[[Tensor, Tensor], Tensor], given: Any = (-1, 1)) -> Prior:
        return DenoiserPrior(D, channels=channels, range=given, **LEVELS)

    epsilon = network(prior, "epsilon")
    made: dict[str, Callable[[], Prior]] = {
        "right": lambda: wrapped(own),
        "right epsilon": lambda: diffusion(epsilon, channels),
        "right v": lambda: diffusion(network(prior, "v"), channels, predicts="v"),
        "sigma not doubled": lambda: wrapped(lambda z, s: own(z, s / 2)),
        "sigma doubled twice": lambda: wrapped(lambda z, s: own(z, 2 * s)),
        "range": lambda: wrapped(own, (0, 1)),
        "range, and sigma doubled": lambda: wrapped(lambda z, s: own(z, 2 * s), (0, 1)),
        "range of another": lambda: wrapped(prior.denoise),
        "sign": lambda: wrapped(lambda z, s: 2 * z - own(z, s)),
        "sigma ignored": lambda: wrapped(lambda z, s: own(z, 0 * s + 0.4)),
        "variance for sigma": lambda: wrapped(lambda z, s: own(z, s**2)),
        "levels of 255": lambda: wrapped(lambda z, s: prior.denoise(z, 255 * s), (0, 1)),
        "the noise for the image": lambda: wrapped(lambda z, s: z - own(z, s)),
        "epsilon read as v": lambda: diffusion(epsilon, channels, predicts="v"),
        "v read as epsilon": lambda: diffusion(network(prior, "v"), channels),
        "epsilon read as x0": lambda: diffusion(epsilon, channels, predicts="x0"),
        "time reversed": lambda: diffusion(lambda x, t: epsilon(x, 999 - t), channels),
        "scale of the input": lambda: wrapped(
            lambda z, s: z - s.reshape(-1, 1, 1, 1) * epsilon(z, place(s))
        ),
    }
    return made[kind]()


def place(s: Tensor) -> Tensor:
    """The time of a level on [-1, 1]."""
    return torch.searchsorted(LOGS, s.double().log()).clamp(0, 999)


WRONG = {
    "sigma not doubled": "2 times as much would fit",
    "sigma doubled twice": "0.5 times as much would fit",
    "range": "",
    "range, and sigma doubled": "0.5 times|range",
    "range of another": r"range=\(0, 1\) would fit",
    "sign": "sign",
    "sigma ignored": "",
    "variance for sigma": "",
    "levels of 255": "0.00392 times as much would fit",
    "the noise for the image": "the noise in its own range",
    "epsilon read as v": "predicts='epsilon' would fit",
    "v read as epsilon": "predicts='v' would fit",
    "epsilon read as x0": "predicts='epsilon' would fit",
    "time reversed": "time runs the other way",
    "scale of the input": "",
}


@pytest.mark.parametrize("name", WRAPPED)
@pytest.mark.parametrize("kind", ["right", "right epsilon", "right v"])
def test_right_wrappers_pass(kind: str, name: str) -> None:
    report = check_denoiser(wrong(kind, right(name)), images(name))
    assert report.ok, str(report)


@pytest.mark.parametrize("name", WRAPPED)
@pytest.mark.parametrize("kind", WRONG)
def test_wrong_wrappers_are_caught(kind: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every one of every network; named, which takes longest, of one network each."""
    named = name == WRAPPED[list(WRONG).index(kind) % len(WRAPPED)]
    if not named:
        monkeypatch.setattr(denoiser_check, "diagnose", lambda *_: None)
    report = check_denoiser(wrong(kind, right(name)), images(name))
    assert not report.ok, str(report)
    if not named:
        return
    assert re.search(WRONG[kind], report.likely or ""), str(report)
    assert "FAILED" in str(report)
    assert report.content()["likely"] == report.likely


def test_images_that_say_nothing() -> None:
    with pytest.raises(ValueError, match="`images` must not be all alike"):
        check_denoiser(right("digits"), torch.zeros(2, 1, 28, 28))
