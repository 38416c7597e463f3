"""The self-test of denoisers: right ones pass, wrong wrappers of them are caught and named."""

from __future__ import annotations

import re
from functools import cache

import pytest
import torch
from torch import Tensor
from wrappers import RIGHT, WRONG, wrapper

from invscore.images import crop_and_shrink, load_image
from invscore.priors import (
    GaussianPrior,
    Prior,
    check_denoiser,
    denoiser_check,
    load_prior,
)
from invscore.priors.own_images import own_images


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
        prior = wrapper(kind, right(name))
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


@pytest.mark.parametrize("name", WRAPPED)
@pytest.mark.parametrize("kind", RIGHT)
def test_right_wrappers_pass(kind: str, name: str) -> None:
    report = check_denoiser(wrapper(kind, right(name)), images(name))
    assert report.ok, str(report)


@pytest.mark.parametrize("name", WRAPPED)
@pytest.mark.parametrize("kind", WRONG)
def test_wrong_wrappers_are_caught(kind: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every one of every network; named, which takes longest, of one network each."""
    named = name == WRAPPED[list(WRONG).index(kind) % len(WRAPPED)]
    if not named:
        monkeypatch.setattr(denoiser_check, "diagnose", lambda *_: None)
    report = check_denoiser(wrapper(kind, right(name)), images(name))
    assert not report.ok, str(report)
    if not named:
        return
    assert re.search(WRONG[kind], report.likely or ""), str(report)
    assert "FAILED" in str(report)
    assert report.content()["likely"] == report.likely


def test_images_that_say_nothing() -> None:
    with pytest.raises(ValueError, match="`images` must not be all alike"):
        check_denoiser(right("digits"), torch.zeros(2, 1, 28, 28))
