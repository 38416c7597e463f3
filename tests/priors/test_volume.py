"""A prior of images for volumes."""

import pytest
import torch
from torch import Tensor

from invscore import GaussianNoise, InverseProblem, reconstruct
from invscore.batches import PerImage
from invscore.networks import build_network
from invscore.operators import Blur, Slicewise
from invscore.priors import GaussianPrior, Prior, StationaryGaussianPrior, VolumePrior
from invscore.priors.fitted import fit_into_memory
from invscore.priors.network import NetworkPrior
from invscore.priors.tiled import Tiled

F64 = torch.float64
generator = torch.Generator().manual_seed(0)
X = torch.randn(2, 1, 6, 6, 6, dtype=F64, generator=generator)
SIGMA = torch.tensor([0.1, 0.7], dtype=F64)
FIELD = StationaryGaussianPrior.power_law((1, 6, 6), exponent=2.0, variance=0.3, dtype=F64)


def test_slices_of_one_plane_are_images_of_the_prior() -> None:
    for axis, plane in ((2, "hw"), (3, "dw"), (4, "dh")):
        prior = VolumePrior(FIELD, (plane,), together=4)
        denoised = prior.denoise(X, SIGMA)
        u = torch.randn_like(X)
        pulled = prior.pullback(X, SIGMA)[1](u)
        for k in range(6):
            part = X.select(axis, k)
            torch.testing.assert_close(denoised.select(axis, k), FIELD.denoise(part, SIGMA))
            expected = FIELD.pullback(part, SIGMA)[1](u.select(axis, k))
            torch.testing.assert_close(pulled.select(axis, k), expected)


def test_the_score_is_the_mean_of_those_of_the_planes() -> None:
    planes = [VolumePrior(FIELD, (plane,)).score(X, SIGMA) for plane in ("hw", "dw", "dh")]
    torch.testing.assert_close(VolumePrior(FIELD).score(X, SIGMA), sum(planes) / 3)


class _Counting(Prior):
    mean, variance = 0.0, 1.0

    def __init__(self) -> None:
        self.largest = 0

    def denoise(self, x: Tensor, sigma: PerImage) -> Tensor:  # noqa: ARG002
        self.largest = max(self.largest, len(x))
        return x


def test_what_is_evaluated_at_once_does_not_grow_with_the_depth() -> None:
    seen = []
    for depth in (8, 64):
        inner = _Counting()
        VolumePrior(inner, ("hw",)).denoise(torch.zeros(1, 1, depth, 512, 256), 0.1)
        seen.append(inner.largest)
    assert seen == [2, 2]


def test_the_posterior_of_independent_slices_is_theirs() -> None:
    white = GaussianPrior(torch.zeros(1, 12, 12, dtype=F64), 0.25)
    operator = Slicewise(Blur.gaussian(0.7, (1, 12, 12)), 12)
    truth = 0.5 * torch.randn(1, *operator.in_shape, dtype=F64, generator=generator)
    y = operator(truth) + 0.1 * torch.randn(1, *operator.out_shape, dtype=F64, generator=generator)
    problem = InverseProblem(operator, y, GaussianNoise(0.1))
    result = reconstruct(problem, VolumePrior(white), samples=32, scale=1.0, steps=15)
    exact = operator.ridge(y, 0.1**2 / 0.25)
    error = (result.mean - exact).square().mean().sqrt() / result.std.mean()
    assert float(error) < 0.3  # 1 / sqrt(32) of a deviation is 0.18
    assert float((result.mean - truth).square().mean() / result.std.square().mean()) == (
        pytest.approx(1.0, abs=0.25)
    )


def test_slices_that_do_not_fit_are_seen_in_tiles() -> None:
    network = build_network("unet", channels=1, widths=[4, 8], blocks=1)
    prior = VolumePrior(NetworkPrior(network, channels=1))
    assert fit_into_memory(prior, (1, 4, 64, 64), 1e12) is prior
    small = fit_into_memory(prior, (1, 4, 400, 400), 1e5)
    assert isinstance(small, VolumePrior)
    assert isinstance(small.prior, Tiled)


def test_wrong_planes_and_images_are_refused() -> None:
    with pytest.raises(ValueError, match=r"`planes` must be some of hw, dw, dh, got \('xy',\)"):
        VolumePrior(FIELD, ("xy",))
    with pytest.raises(ValueError, match="`together` must be at least 1 slice, got 0"):
        VolumePrior(FIELD, together=0)
    with pytest.raises(ValueError, match=r"must be volumes \(b, c, d, h, w\)"):
        VolumePrior(FIELD).denoise(X[:, :, 0], 0.1)
