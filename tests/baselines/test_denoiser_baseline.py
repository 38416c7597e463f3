"""One evaluation of a denoiser, ours or BM3D."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from invscore.baselines import get_baseline
from invscore.exact import exact_posterior
from invscore.likelihood import GaussianNoise, InverseProblem
from invscore.operators import Blur, Identity
from invscore.priors import GaussianPrior

Measure = Callable[..., InverseProblem]


def test_the_posterior_mean_of_each_image(image: Tensor, measure: Measure) -> None:
    prior = GaussianPrior(torch.full((1, 32, 32), 0.5).double(), 0.04)
    y = measure(Identity((1, 32, 32)), torch.cat([image, image.flip(-1)]), 0.1).y
    noise = GaussianNoise(torch.tensor([0.1, 0.4]))
    problem = InverseProblem(Identity((1, 32, 32)), y, noise)
    found = get_baseline("denoiser").run(problem, prior)
    for k in range(2):
        alone = exact_posterior(problem.select(torch.tensor([k])), prior)
        torch.testing.assert_close(found[k], alone.mean)


def test_bm3d(image: Tensor, measure: Measure, rms: Callable[[Tensor, Tensor], float]) -> None:
    pytest.importorskip("bm3d")
    problem = measure(Identity((1, 32, 32)), image, 0.1)
    assert rms(get_baseline("bm3d").run(problem, None), image) < 0.4 * 0.1


@pytest.mark.parametrize("name", ["denoiser", "bm3d"])
def test_anything_but_noise_is_refused(name: str, image: Tensor, measure: Measure) -> None:
    if name == "bm3d":
        pytest.importorskip("bm3d")
    problem = measure(Blur.gaussian(1.0, (1, 32, 32)), image)
    prior = GaussianPrior(image[0], 0.04)
    with pytest.raises(ValueError, match=f"{name} needs a noisy image, .*, given Blur"):
        get_baseline(name).run(problem, prior)
