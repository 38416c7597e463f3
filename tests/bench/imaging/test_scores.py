"""What is measured, against sums written out here."""

from __future__ import annotations

import math

import pytest
import torch
from scipy import stats

from invscore.bench.imaging.scores import FIGURES, held, measure, pictures
from invscore.likelihood import GaussianNoise, InverseProblem
from invscore.operators import MRI, Identity
from invscore.tasks.task import Task
from invscore.uncertainty import moderated

SHAPE = (1, 16, 16)


def task(truth: torch.Tensor) -> Task:
    shape = tuple(truth.shape)
    operator = MRI.random(shape, 2.0) if truth.is_complex() else Identity(shape)
    y = operator(truth[None])
    return Task(InverseProblem(operator, y, GaussianNoise(0.1)), truth[None])


def samples_about(truth: torch.Tensor, count: int = 5) -> torch.Tensor:
    noise = torch.randn(count, 1, *truth.shape, generator=torch.Generator().manual_seed(1))
    return truth[None, None] + 0.1 * noise


TRUTH = torch.rand(SHAPE, generator=torch.Generator().manual_seed(0))


def decibels(error: torch.Tensor, peak: float = 1.0) -> float:
    return 10 * math.log10(peak**2 / error.double().square().mean().item())


def test_figures_of_samples() -> None:
    samples = samples_about(TRUTH)
    figures = measure(task(TRUTH), samples, point_estimate=False)
    assert tuple(figures) == FIGURES
    mean = samples.mean(dim=0)[0]
    assert figures["psnr"] == pytest.approx(decibels(mean - TRUTH), abs=1e-4)
    singly = [decibels(sample[0] - TRUTH) for sample in samples]
    assert figures["psnr_sample"] == pytest.approx(sum(singly) / 5, abs=1e-4)
    assert figures["psnr"] > figures["psnr_sample"] + 5
    assert figures["ssim"] > figures["ssim_sample"]
    assert figures["lpips"] is None, "the image is too small for it"
    told = moderated(samples, paired=False)
    half = stats.t.ppf(0.95, float(told.freedom)) * (1.2 * told.scale[0]).sqrt()
    assert figures["width90"] == pytest.approx(2 * half.mean().item(), rel=1e-3)
    inside = ((mean - TRUTH).abs() <= half).double().mean().item()
    assert figures["coverage90"] == pytest.approx(inside, abs=1e-3)
    x = samples[:, 0].double()
    pairs = (x[:, None] - x[None]).abs().sum(dim=(0, 1)) / (2 * 5 * 4)
    crps = ((x - TRUTH).abs().mean(dim=0) - pairs).mean().item()
    assert figures["crps"] == pytest.approx(crps, rel=1e-5)


def test_a_point_estimate_has_no_samples() -> None:
    figures = measure(task(TRUTH), samples_about(TRUTH, 1), point_estimate=True)
    assert {name for name, value in figures.items() if value is not None} == {"psnr", "ssim"}


def test_a_single_sample_has_no_interval() -> None:
    figures = measure(task(TRUTH), samples_about(TRUTH, 1), point_estimate=False)
    assert figures["psnr"] == figures["psnr_sample"]
    assert figures["coverage90"] is figures["width90"] is figures["crps"] is None


def test_complex_images_are_compared_by_magnitude_with_their_own_peak() -> None:
    truth = 2 * TRUTH * torch.exp(3j * TRUTH)
    turned = (truth * 1j)[None, None]
    assert measure(task(truth), turned, point_estimate=True)["psnr"] is None, "no error at all"
    darker = measure(task(truth), 0.9 * turned, point_estimate=True)["psnr"]
    peak = truth.abs().max().item()
    assert darker == pytest.approx(decibels(0.1 * truth.abs(), peak), abs=1e-3)


def test_errors_tell_what_wider_intervals_hold() -> None:
    samples = samples_about(TRUTH)
    kept = pictures(task(TRUTH), samples, point_estimate=False)
    mean, told = samples.mean(dim=0)[0], moderated(samples, paired=False)
    half = stats.t.ppf(0.95, float(told.freedom)) * (1.2 * told.scale[0]).sqrt()
    for factor in (0.2, 0.5, 1.0, 2.0):
        inside = ((mean - TRUTH).abs() <= factor * half).double().mean().item()
        assert held(kept["errors"], factor) == pytest.approx(inside, abs=0.004)
    assert torch.equal(kept["uncertainty"], told.variance[0].sqrt().half())


def test_pictures_are_in_image_units() -> None:
    samples = samples_about(TRUTH, 6)
    kept = pictures(task(TRUTH), samples, point_estimate=False)
    assert kept["samples"].shape == (4, *SHAPE)
    assert torch.equal(kept["truth"], TRUTH.half())
    assert torch.equal(kept["measurement"], TRUTH.half())
    assert torch.equal(kept["reconstruction"], samples.mean(dim=0)[0].half())
    alone = pictures(task(TRUTH), samples[:1], point_estimate=True)
    assert set(alone) == {"measurement", "reconstruction", "truth"}
    brain = pictures(task(2 * TRUTH * torch.exp(3j * TRUTH)), samples.cfloat(), point_estimate=True)
    assert torch.equal(brain["truth"], (2 * TRUTH * torch.exp(3j * TRUTH)).abs().half())
    assert not any(picture.is_complex() for picture in brain.values())
