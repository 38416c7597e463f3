"""Detail that samples lack behind a low-pass is made up for where nothing is measured."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from invscore import (
    GaussianNoise,
    InverseProblem,
    PoissonNoise,
    load_prior,
    reconstruct,
    simulate,
)
from invscore.images import crop_and_shrink, load_image
from invscore.methods.matched_spectrum.lost_detail import LostDetail, law_for, tails
from invscore.noise import Noise
from invscore.operators import Blur, Identity, Inpainting, LinearOperator
from invscore.priors.detail import COUNT, DetailBands, DetailLaw
from invscore.rng import SampleRNG
from invscore.uncertainty import moderated
from invscore.uncertainty.intervals import quantile_of_errors

F64 = torch.float64
SHAPE = (1, 64, 64)
POWER = 0.01 * DetailBands(torch.zeros(1, *SHAPE, dtype=F64)).numbers / 64**2
"""Of bands of white noise of variance 0.01."""


def law(covariance: Tensor | None = None) -> DetailLaw:
    """Of white noise, whose bands tell nothing of each other unless said."""
    nothing_told = torch.zeros(COUNT, COUNT, dtype=F64)
    return DetailLaw(POWER.log(), nothing_told if covariance is None else covariance, POWER.clone())


def added(
    told: DetailLaw,
    clean: Tensor,
    operator: LinearOperator | None = None,
    noise: float | Noise = 0.01,
) -> Tensor:
    """What samples are given, mean square of each band over all of them."""
    operator = Blur.gaussian(3.0, SHAPE) if operator is None else operator
    y = torch.zeros(len(clean), *operator.out_shape, dtype=F64)
    law_of_noise = GaussianNoise(noise) if isinstance(noise, float) else noise
    lost = LostDetail(InverseProblem(operator, y, law_of_noise), told, clean[:1])
    extra = lost(clean, SampleRNG([(k,) for k in range(len(clean))])) - clean
    bands = DetailBands(clean)
    spectrum = torch.fft.rfft2(extra)
    return torch.stack([bands.power(bands.energy(spectrum), k) for k in range(COUNT)]).mean((1, 2))


def nothing(count: int = 64) -> Tensor:
    return torch.zeros(count, *SHAPE, dtype=F64)


def test_what_is_lost_wholly_is_given_back() -> None:
    """But for the doubt: 1 / (1 + 0.4^2) of it; nothing where the blur lets it pass."""
    found = added(law(), nothing())
    torch.testing.assert_close(found[:2], POWER[:2] / 1.16, rtol=0.02, atol=0.0)
    assert bool((found[7:] < 1e-3 * POWER[7:]).all())


def test_colours_have_detail_in_common() -> None:
    told = replace(law(), common=0.7)
    clean = torch.zeros(64, 3, 64, 64, dtype=F64)
    operator = Blur.gaussian(3.0, (3, 64, 64))
    problem = InverseProblem(operator, clean, GaussianNoise(0.01))
    extra = LostDetail(problem, told, clean[:1])(clean, SampleRNG([(k,) for k in range(64)]))
    bands = DetailBands(clean)
    fine = bands.band(torch.fft.rfft2(extra), 1)
    covariance = torch.einsum("bchw,bdhw->cd", fine, fine) / fine[:, 0].numel()
    torch.testing.assert_close(
        covariance.diagonal(),
        torch.full((3,), float(POWER[1]) / 1.16, dtype=F64),
        rtol=0.03,
        atol=0.0,
    )
    correlation = covariance / covariance.diagonal().mean()
    assert float(correlation[0, 1]) == pytest.approx(0.7, abs=0.02)
    assert float(correlation[1, 2]) == pytest.approx(0.7, abs=0.02)


def test_a_part_that_is_lost_counts_by_its_doubt() -> None:
    """Half of the power is there: half of the loss counts for 0.25 / (0.25 + 0.4^2)."""
    generator = torch.Generator().manual_seed(1)
    half = 0.005**0.5 * torch.randn(64, *SHAPE, dtype=F64, generator=generator)
    found = added(law(), half)
    expected = 0.5 * POWER[:2] * 0.25 / (0.25 + 0.16)
    torch.testing.assert_close(found[:2], expected, rtol=0.05, atol=0.0)


def test_the_mean_of_a_power_is_above_that_of_its_logarithm() -> None:
    """By 0.8 of half the variance that is left."""
    covariance = 0.5 * torch.eye(COUNT, dtype=F64)
    ratio = added(law(covariance=covariance), nothing()) / added(law(), nothing())
    torch.testing.assert_close(
        ratio[:2], torch.full((2,), math.exp(0.2), dtype=F64), rtol=1e-3, atol=0.0
    )


def test_coarse_bands_tell_of_fine_ones() -> None:
    """A band four times as strong as usual, of a wave; seen with a variance of 0.05."""
    place = 2 * math.pi * torch.arange(64, dtype=F64) * 2 / 64  # band 8, which the blur lets pass
    wave = ((8 * POWER[8]) ** 0.5 * torch.cos(place)).expand(64, *SHAPE)
    covariance = torch.zeros(COUNT, COUNT, dtype=F64)
    covariance[8, 8] = 1.0
    covariance[8, :5] = covariance[:5, 8] = 0.6
    covariance[:5, :5] = torch.eye(5, dtype=F64)
    ratio = added(law(covariance=covariance), wave) / added(law(), wave)
    told = 0.6 / 1.05
    expected = math.exp(told * math.log(4) + 0.8 * (1 - told * 0.6) / 2)
    torch.testing.assert_close(
        ratio[:2], torch.full((2,), expected, dtype=F64), rtol=0.01, atol=0.0
    )


@pytest.mark.parametrize("times", [4.0, 0.25])
def test_of_strong_detail_the_measurement_tells_more(times: float) -> None:
    """Where P is as precise as y, ``1 / (1 + t)`` of t P is hidden, not half as of P itself.

    And y tells of what is added, a variance a, beside its noise of 1: ``1 / (1 + a)`` stays.
    """
    told, noise = law(), 0.01
    fine = DetailBands(nothing(1)).numbers / 64**2 * noise**2
    told.power[:6], told.power[6:] = fine[:6], 1e6 * fine[6:]
    found = []
    for factor in (times, 1.0):
        told.mean[:] = (factor * told.power).log()
        found.append(added(told, nothing(16), Identity(SHAPE), noise)[:4])
    strong, usual = (t * 2 / (1 + t) / 1.16 for t in (times, 1.0))
    expected = strong / usual * ((1 + usual) / (1 + strong)) ** 2
    torch.testing.assert_close(
        found[0] / found[1], torch.full((4,), expected, dtype=F64), rtol=0.05, atol=0.0
    )


def test_pixels_that_are_missing_tell_nothing_of_strong_detail() -> None:
    """It is hidden there as weak detail is: four times the power is added four times."""
    told, noise, mask = law(), 0.01, torch.arange(64).remainder(2).bool()[:, None].expand(64, 64)
    fine = DetailBands(nothing(1)).numbers / 64**2 * noise**2
    told.power[:6], told.power[6:] = fine[:6], 1e6 * fine[6:]
    operator, extra = Inpainting(mask, SHAPE), []
    problem = InverseProblem(operator, nothing(2), GaussianNoise(noise))
    for factor in (4.0, 1.0):
        told.mean[:] = (factor * told.power).log()
        lost = LostDetail(problem, told, nothing(1))
        extra.append(lost(nothing(2), SampleRNG([(k,) for k in range(2)]))[..., ~mask])
    assert float(extra[1].std()) > 1e-3
    torch.testing.assert_close(extra[0], 2 * extra[1], rtol=1e-2, atol=1e-5)


@pytest.mark.parametrize(("share", "filled"), [(0.17, True), (0.13, False)])
def test_bands_count_as_hidden_from_a_share_on(share: float, filled: bool) -> None:
    """Their power over the noise tells the share."""
    told = law()
    noise = 0.01
    fine = DetailBands(nothing(1)).numbers / 64**2 * noise**2 * (1 / share - 1)
    told.power[:5] = fine[:5]
    told.mean[:5] = fine[:5].log()
    found = added(told, nothing(4), Identity(SHAPE), noise)
    assert bool((found[:3] > 1e-3 * fine[:3]).all()) is filled


def test_counts_are_as_precise_as_on_average_at_the_samples() -> None:
    clean = nothing(2) + 0.02
    clean[..., 32:] = 1.0
    operator = Blur.gaussian(3.0, SHAPE)
    told = replace(law(), mean=(100 * POWER).log(), power=100 * POWER)
    variance = 1 / float((400 / operator(clean)).mean())
    found = added(told, clean, operator, PoissonNoise(400))[:6]
    expected = added(told, clean, operator, variance**0.5)[:6]
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=0.0)
    other = added(told, clean, operator, (float(clean.mean()) / 400) ** 0.5)[:6]
    assert not torch.allclose(other, expected, rtol=0.02, atol=0.0)
    problem = InverseProblem(operator, operator(clean), PoissonNoise(400))
    assert law_for(problem, load_prior("photos-gray-small"), "seen") is not None


def test_errors_are_more_uneven_where_all_detail_is_given_back() -> None:
    """As draws are behind a low-pass."""
    prior = load_prior("photos-gray-small")
    y = torch.zeros(1, 1, 32, 32)
    problem = InverseProblem(Blur.gaussian(2.0, (1, 32, 32)), y, GaussianNoise(0.1))
    found = [tails(problem, prior, {"spread": s}) for s in ("seen", "uneven", "local", "told")]
    assert prior.detail is not None
    assert found == [prior.detail.tails] * 2 + [prior.detail.tails_elsewhere, 0.0]
    assert found[1] != found[2]


def test_the_mean_of_a_pair_and_what_is_measured_hardly_move() -> None:
    """Of samples by `auto`, with the law of photographs and without."""
    truth = crop_and_shrink(load_image("camera"), 48)[None]
    operator, noise = Blur.gaussian(2.0, (1, 48, 48)), GaussianNoise(0.02)
    problem = InverseProblem(operator, simulate(operator, truth, noise, 0), noise)
    prior = load_prior("photos-gray-small")
    after = reconstruct(problem, prior, samples=2, steps=4)
    told = reconstruct(problem, prior, samples=2, steps=4, method="matched_spectrum")
    prior.detail = None
    before = reconstruct(problem, prior, samples=2, steps=4)
    assert (after.tails, told.tails, before.tails) == (1.2, 0.0, 0.0)
    wider = after.interval(0.5).width / replace(after, tails=0.0).interval(0.5).width
    freedom = float(moderated(after.samples, paired=True).freedom)
    ratio = quantile_of_errors(0.5, freedom, 1.2) / quantile_of_errors(0.5, freedom)
    torch.testing.assert_close(wider, torch.full_like(wider, ratio), rtol=0.02, atol=0.0)
    extra = after.samples - before.samples
    assert float(extra.std()) > 0.005
    assert float((after.mean - before.mean).std()) < 0.3 * float(extra.std())
    # Less than a fifth of the noise's deviation: residuals stay what they are.
    assert float(operator(extra[0]).std()) < 0.004
    assert float(after.residual) == pytest.approx(float(before.residual), abs=0.03)


def test_a_measurement_that_tells_no_band_leaves_the_mean_of_photographs() -> None:
    found = added(law(), nothing(), Identity(SHAPE), 100.0)
    torch.testing.assert_close(found[:8], POWER[:8] / 1.16, rtol=0.1, atol=0.0)
    torch.testing.assert_close(found[:2], POWER[:2] / 1.16, rtol=0.02, atol=0.0)
