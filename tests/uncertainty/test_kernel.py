"""Kernels that are not the instrument's are told from the spectrum of what it measured."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from invscore import GaussianNoise, GaussianPrior, InverseProblem, load_prior, simulate
from invscore.images import crop_and_shrink, load_image, to_gray
from invscore.operators import Blur, Identity
from invscore.operators.kernels import gaussian_kernel, mapped_kernel, motion_kernel
from invscore.uncertainty import kernel_warnings, sharper_warnings
from invscore.uncertainty.kernel import likelier

SIGMA = 0.01
SEEN = 64
NAMES = ("astronaut", "camera", "chelsea", "coffee", "coins")


def measured(name: str, true: Tensor, noise: float = SIGMA) -> Tensor:
    """A photograph that goes on beyond the border, (1, 64, 64)."""
    image = to_gray(crop_and_shrink(load_image(name), 200))
    rows, columns = (SEEN + n - 1 for n in true.shape)
    top, left = (image.shape[1] - rows) // 2, (image.shape[2] - columns) // 2
    part = image[None, :, top : top + rows, left : left + columns]
    return simulate(Blur(true, (1, rows, columns), "valid"), part, GaussianNoise(noise), 1)[0]


@pytest.mark.parametrize("name", NAMES)
def test_another_kernel_is_likelier(name: str) -> None:
    """Also one that is wider than declared, which a softer image explains without a residual."""
    y = measured(name, gaussian_kernel(1.6))
    wider = likelier(y, gaussian_kernel(1.2), SIGMA)
    assert wider.gain > 1
    assert 1.3 <= wider.size <= 1.5
    assert likelier(y, gaussian_kernel(1.6), SIGMA).gain < 0.8
    y = measured(name, motion_kernel(15, 30))
    assert likelier(y, motion_kernel(15, 30), SIGMA).gain < 0.8
    turned = likelier(y, motion_kernel(15, 45), SIGMA)
    assert turned.gain > 1
    assert turned.angle == -15.0


@pytest.mark.parametrize("name", ["astronaut", "camera", "coins"])
def test_a_longer_motion_is_likelier(name: str) -> None:
    longer = likelier(measured(name, motion_kernel(15, 30)), motion_kernel(11, 30), SIGMA)
    assert longer.gain > 1
    assert longer.angle == 0.0
    assert 1.2 <= longer.size <= 1.5


@pytest.mark.parametrize("name", NAMES)
def test_rows_taken_for_columns(name: str) -> None:
    for angle in (0, 60):
        y = measured(name, motion_kernel(9, angle))
        assert likelier(y, motion_kernel(9, angle), SIGMA).gain < 0.8
        across = likelier(y, motion_kernel(9, angle + 90), SIGMA)
        assert across.gain > 1
        assert (across.size, across.angle) == (1.0, 90.0)


def test_beside_another_misfit_only_what_lies_across_is_told() -> None:
    y = measured("camera", motion_kernel(9, 0))[None]
    prior = load_prior("photos-gray")
    for angle, length, told in ((90, 9, True), (0, 6, False)):
        kernel = motion_kernel(length, angle)
        whole = (1, *(n + k - 1 for n, k in zip(y.shape[-2:], kernel.shape, strict=True)))
        problem = InverseProblem(Blur(kernel, whole, "valid"), y, GaussianNoise(SIGMA))
        found = kernel_warnings(problem, prior, turned=True)
        assert bool(found) == told
        assert all("its rows and columns exchanged" in sentence for sentence in found)


@pytest.mark.parametrize("name", NAMES)
def test_a_picture_sharper_than_its_kernel_is_told_from_a_noisy_one(name: str) -> None:
    blur = Blur(gaussian_kernel(2.0), (1, SEEN + 16, SEEN + 16), "valid")

    def told(true: Tensor, noise: float) -> bool:
        y = measured(name, true, noise)[None]
        return bool(sharper_warnings(InverseProblem(blur, y, GaussianNoise(SIGMA))))

    assert told(torch.ones(1, 1, dtype=torch.float64), SIGMA)  # not blurred at all
    assert told(gaussian_kernel(1.0), SIGMA)
    assert not any(told(gaussian_kernel(2.0), noise * SIGMA) for noise in (1, 2, 5))


@pytest.mark.parametrize("side", [99, 200])
def test_a_kernel_in_the_middle_of_a_large_file_is_the_same_kernel(side: int) -> None:
    shape = (1, 256, 256)
    image = to_gray(crop_and_shrink(load_image("camera"), 256))[None]
    y = simulate(Blur.gaussian(1.6, shape), image, GaussianNoise(SIGMA), 0)
    small = gaussian_kernel(1.2)
    large = torch.full((side, side), 1e-10, dtype=small.dtype)
    corner, n = side // 2 - len(small) // 2, len(small)
    large[corner : corner + n, corner : corner + n] += small
    prior = load_prior("photos-gray-small")
    told = [
        kernel_warnings(InverseProblem(Blur(kernel, shape), y, GaussianNoise(SIGMA)), prior)
        for kernel in (small, large)
    ]
    assert told[0] == told[1]
    assert "about 1.3 times as large" in told[0][0]


def test_noise_and_constants_tell_nothing() -> None:
    grain = SIGMA * torch.randn(1, 64, 64, generator=torch.Generator().manual_seed(0))
    for y in (grain, grain.new_full((1, 64, 64), 0.5), grain + 0.5):
        assert likelier(y, gaussian_kernel(1.2), SIGMA).gain == 0


@pytest.mark.parametrize("unit", [1e-4, 1e4])
def test_units_do_not_matter(unit: float) -> None:
    y = measured("camera", gaussian_kernel(1.6))
    one, other = (likelier(u * y, gaussian_kernel(1.2), u * SIGMA) for u in (1.0, unit))
    assert other.size == one.size
    assert other.gain == pytest.approx(one.gain, rel=1e-3)


def test_the_warning_tells_how_the_kernel_differs() -> None:
    prior = load_prior("photos-gray")
    for true, told, words in (
        (gaussian_kernel(1.6), gaussian_kernel(1.2), "1.3 times as large"),
        (motion_kernel(15, 30), motion_kernel(15, 45), "turned by about -15 degrees"),
    ):
        y = measured("camera", true)[None]
        rows, columns = (SEEN + n - 1 for n in told.shape)
        operator = Blur(told, (1, rows, columns), "valid")
        (sentence,) = kernel_warnings(InverseProblem(operator, y, GaussianNoise(SIGMA)), prior)
        assert words in sentence


def test_images_of_the_prior_are_not_told_from_themselves() -> None:
    """White noise has no spectrum of a photograph, and a prior of white noise knows it."""
    shape = (1, 64, 64)
    prior = GaussianPrior(torch.full(shape, 0.5), 0.04)
    blur = Blur.gaussian(1.2, shape)
    y = simulate(blur, prior.sample(1), GaussianNoise(SIGMA), 0)
    assert likelier(y[0], blur.kernel, SIGMA).gain > 1
    assert kernel_warnings(InverseProblem(blur, y, GaussianNoise(SIGMA)), prior) == ()


def test_what_is_no_blur_is_let_pass() -> None:
    prior = GaussianPrior(torch.zeros(1, 64, 64), 1.0)
    y = measured("camera", gaussian_kernel(1.6))[None]
    problem = InverseProblem(Identity((1, 64, 64)), y, GaussianNoise(SIGMA))
    assert kernel_warnings(problem, prior) == ()
    assert sharper_warnings(problem) == ()


def second_moments(kernel: Tensor) -> Tensor:
    """Of places (right, up) about the centre, (2, 2)."""
    rows, columns = (torch.arange(n, dtype=kernel.dtype) - n // 2 for n in kernel.shape)
    down, right = torch.meshgrid(rows, columns, indexing="ij")
    places = torch.stack([right, -down])
    return torch.einsum("hw,ahw,bhw->ab", kernel, places, places)


def test_mapped_kernels_are_those_of_other_numbers() -> None:
    for degrees in (-30.0, 15.0):
        a = math.radians(degrees)
        turn = torch.tensor([[math.cos(a), -math.sin(a)], [math.sin(a), math.cos(a)]])
        found = second_moments(mapped_kernel(motion_kernel(15, 30), turn))
        wanted = second_moments(motion_kernel(15, 30 + degrees))
        assert float((found - wanted).abs().max()) < 0.03 * float(wanted.trace())
    wider = mapped_kernel(gaussian_kernel(1.2), torch.eye(2) * 4 / 3)
    expected = gaussian_kernel(1.6, len(wider))
    assert float((wider - expected).norm() / expected.norm()) < 0.03
    assert float(mapped_kernel(motion_kernel(7), turn).sum()) == pytest.approx(1, abs=1e-12)
