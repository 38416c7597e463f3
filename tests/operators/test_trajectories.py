"""Shaken cameras: the laws of the paths and the kernels that they leave."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from invscore.operators import Blur
from invscore.operators.trajectories import (
    POINTS,
    Path,
    inertial_path,
    polyline_path,
    shake_kernel,
)


def walked(path: Path) -> float:
    return float(np.abs(np.diff(path)).sum())


def straightness(path: Path) -> float:
    """From end to end over the length."""
    return float(abs(path[-1] - path[0])) / walked(path)


def centroid(kernel: Tensor) -> Tensor:
    t = torch.arange(len(kernel), dtype=torch.float64) - len(kernel) // 2
    return torch.stack([(kernel.sum(dim=1) * t).sum(), (kernel.sum(dim=0) * t).sum()])


@pytest.mark.parametrize("model", ["polyline", "inertial"])
@pytest.mark.parametrize("intensity", [0.0, 0.5, 1.0])
def test_kernels_are_positive_and_sum_to_one(model: str, intensity: float) -> None:
    kernel = shake_kernel(31, intensity, 3, model)
    assert kernel.shape == (31, 31)
    assert kernel.dtype == torch.float64
    assert float(kernel.min()) >= 0
    assert float(kernel.sum()) == pytest.approx(1, abs=1e-12)


def test_kernels_follow_the_seed() -> None:
    assert torch.equal(shake_kernel(seed=4), shake_kernel(seed=4))
    assert not torch.allclose(shake_kernel(seed=4), shake_kernel(seed=5))
    x = torch.rand(1, 1, 64, 64, dtype=torch.float64)
    shaken, plain = Blur.shake((1, 64, 64), seed=4), Blur(shake_kernel(seed=4), (1, 64, 64))
    assert torch.equal(shaken(x), plain(x))


def test_a_path_within_the_square_is_centred() -> None:
    """Nowhere farther than half its length from its centroid, an inertial path never leaves."""
    for seed in range(10):
        kernel = shake_kernel(41, 0.005, seed, "inertial")
        assert float(centroid(kernel).abs().max()) < 0.02
        assert float(kernel[:3].sum() + kernel[-3:].sum()) < 0.1


def test_without_intensity_paths_are_straight() -> None:
    for seed in range(20):
        inertial = inertial_path(61, 0.0, np.random.default_rng(seed))
        assert straightness(inertial) == pytest.approx(1, abs=1e-9)
        assert walked(inertial) == pytest.approx(60)
        polyline = polyline_path(61, 0.0, np.random.default_rng(seed))
        # Headings of at most 0.1 from the axis, to both sides.
        assert straightness(polyline) > math.cos(0.1)


def test_polylines_are_as_long_as_their_law_says() -> None:
    """0.75 d (1/2 + intensity^2 / 2), its law a sum of two uniform ones, plus a last piece that
    goes beyond, less the first that only leads to the first corner: the same on average."""
    size, n = 61, 1000
    diagonal = math.sqrt(2) * size
    for intensity in (0.0, 0.5, 1.0):
        lengths = [
            walked(polyline_path(size, intensity, np.random.default_rng(i))) for i in range(n)
        ]
        mean = 0.75 * diagonal * (1 + intensity**2) / 2
        deviation = 0.75 * diagonal * math.sqrt((1 + intensity**4) / 12)
        # The first piece is a typical one, the last is one that was met by chance, up to twice as
        # long: (1.1 - intensity) d / 31 more at most.
        excess = (1.1 - intensity) * diagonal / 31
        assert abs(np.mean(lengths) - mean - excess / 2) < excess / 2 + 4 * deviation / n**0.5
        assert np.std(lengths) == pytest.approx(deviation, rel=0.12)


def test_polylines_have_pieces_of_the_mean_length_of_their_law() -> None:
    """Beta(1, 30) has mean 1 / 31; a corner between two points of the path bends it at both."""
    paths = [polyline_path(61, 0.5, np.random.default_rng(seed)) for seed in range(100)]
    bends = [np.abs(np.angle(np.diff(p)[1:] / np.diff(p)[:-1])) > 1e-6 for p in paths]
    piece = (1.1 - 0.5) * math.sqrt(2) * 61 / 31
    assert np.concatenate(bends).mean() == pytest.approx(2 / (POINTS * piece), rel=0.15)


def test_polylines_are_as_straight_as_the_known_ones() -> None:
    """The mean of 600 paths of the known generator: 0.925 at intensity 0.5 and 0.563 at 1.

    Standard errors of 0.004 and 0.012, those of ours 0.007 and 0.02.
    """
    for intensity, expected, error in ((0.5, 0.925, 0.008), (1.0, 0.563, 0.023)):
        paths = [polyline_path(61, intensity, np.random.default_rng(seed)) for seed in range(200)]
        assert abs(np.mean([straightness(path) for path in paths]) - expected) < 3 * error


def test_kernels_have_the_statistics_of_the_known_generator() -> None:
    """Measured with its own code on 300 kernels of size 61: rms radius and 1 / sum k^2.

    8.9 and 61 at intensity 0, 11.0 and 80 at 0.5, 10.6 and 94 at 1, with standard errors of 0.3
    and 2. Ours cuts off less and counts crossings twice: 10 % of difference are allowed for it.
    """
    t = torch.arange(61, dtype=torch.float64) - 30
    square = t**2 + t[:, None] ** 2
    n = 200
    for intensity, radius, pixels in ((0.0, 8.9, 61), (0.5, 11.0, 80), (1.0, 10.6, 94)):
        kernels = torch.stack([shake_kernel(61, intensity, seed) for seed in range(n)])
        radii = (kernels * square).sum(dim=(1, 2)).sqrt()
        covered = 1 / kernels.square().sum(dim=(1, 2))
        for ours, theirs in ((radii, radius), (covered, pixels)):
            error = 3 * math.sqrt(2) * float(ours.std()) / n**0.5
            assert abs(float(ours.mean()) - theirs) < 0.1 * theirs + error


def test_inertial_paths_have_constant_speed_and_bend_with_intensity() -> None:
    paths = {
        a: [inertial_path(61, a, np.random.default_rng(seed)) for seed in range(20)]
        for a in (0.0005, 0.005, 0.05)
    }
    for path in paths[0.005]:
        steps = np.abs(np.diff(path))
        np.testing.assert_allclose(steps, 60 / 1999, rtol=1e-9)
        assert abs(path.mean()) < 1e-9
    bends = [np.mean([straightness(path) for path in paths[a]]) for a in paths]
    assert bends[0] > 1.3 * bends[1] > 1.3**2 * bends[2]


def test_errors() -> None:
    with pytest.raises(
        ValueError, match="`size` must be an odd number of pixels of at least 3, got 60"
    ):
        shake_kernel(60)
    with pytest.raises(ValueError, match=r"`intensity` must lie in \[0, 1\], got 1\.5"):
        shake_kernel(61, 1.5)
    with pytest.raises(ValueError, match="`model` must be one of polyline, inertial, got 'wild'"):
        shake_kernel(61, 0.5, 0, "wild")
