"""The tuned defaults on one photograph: a constant that moves, moves these numbers.

Measured, with seeds: PSNR (dB) of the mean, and the share of pixels in 90 % intervals. Whoever
changes a default on purpose measures anew, here and on the pages that quote a comparison.
"""

from __future__ import annotations

import pytest
from torch import Tensor

from invscore import GaussianNoise, InverseProblem, load_prior, reconstruct, simulate
from invscore.images import crop_and_shrink, load_image
from invscore.metrics import psnr
from invscore.operators import Blur, Inpainting, LinearOperator

SHAPE = (1, 64, 64)
DECIBELS, SHARE = 0.02, 0.004
GOLDEN = {
    ("matched_spectrum", 2, "blur"): (26.654, 0.8972),
    ("matched_spectrum", 2, "mask"): (27.191, 0.9180),
    ("hqs", 1, "blur"): (26.067, None),
    ("diffpir", 2, "mask"): (25.555, 0.8120),
}


def operator(name: str) -> LinearOperator:
    return Blur.gaussian(1.6, SHAPE) if name == "blur" else Inpainting.random(SHAPE, keep=0.3)


@pytest.fixture(scope="module")
def truth() -> Tensor:
    return crop_and_shrink(load_image("camera"), 64)[None]


@pytest.mark.parametrize(("method", "samples", "task"), GOLDEN)
def test_tuned_defaults(truth: Tensor, method: str, samples: int, task: str) -> None:
    a, noise = operator(task), GaussianNoise(0.02)
    problem = InverseProblem(a, simulate(a, truth, noise, 0), noise)
    result = reconstruct(problem, load_prior("photos-gray"), method=method, samples=samples, seed=0)
    decibels, share = GOLDEN[method, samples, task]
    found = float(psnr(result.mean, truth).mean())
    held = None
    if share is not None:
        interval = result.interval(0.9)
        held = float(((interval.lower <= truth) & (truth <= interval.upper)).double().mean())
    assert found == pytest.approx(decibels, abs=DECIBELS), f"{found:.3f} dB, {held}"
    assert share is None or held == pytest.approx(share, abs=SHARE), f"{found:.3f} dB, {held}"
