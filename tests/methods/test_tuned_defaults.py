"""The tuned defaults on one photograph: a constant that moves, moves these numbers.

Measured, with seeds: PSNR (dB) of the mean, and the share of pixels in 90 % intervals; of
`matched_spectrum` pixels of a sample too, since some of its constants change what is drawn and not
how good it is. Whoever changes a default on purpose measures anew, here and on the pages that quote
a comparison. A failing test says what it found.
"""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from invscore import GaussianNoise, InverseProblem, load_prior, reconstruct, simulate
from invscore.images import crop_and_shrink, load_image
from invscore.metrics import psnr
from invscore.operators import Blur, Inpainting, LinearOperator

SHAPE = (1, 64, 64)
DECIBELS, SHARE = 0.02, 0.004
GOLDEN = {
    ("matched_spectrum", 2, "blur"): (26.654, 0.8818),
    ("matched_spectrum", 2, "mask"): (27.191, 0.9336),
    ("auto", 2, "blur"): (26.657, 0.8960),
    ("auto", 2, "mask"): (27.235, 0.9194),
    ("hqs", 1, "blur"): (26.067, None),
    ("diffpir", 2, "mask"): (25.555, 0.6484),
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


SMALL = (1, 32, 32)
NEAR = {"blur": 4e-4, "mask": 4e-4, "window": 5e-3}
"""Of pixels: above what rounding changes, of which conjugate gradients make more."""
PIXELS = {
    ("blur", 0.02): [
        0.8422,
        0.5828,
        0.8353,
        0.7676,
        0.0852,
        0.2673,
        0.2646,
        0.6821,
        0.0282,
        0.4608,
        0.5788,
        0.6301,
        0.1649,
        0.686,
        0.5763,
        0.5931,
    ],
    ("mask", 0.02): [
        0.7889,
        0.3282,
        0.7847,
        0.7751,
        0.1255,
        0.156,
        0.2864,
        0.6181,
        0.0805,
        0.6792,
        0.3738,
        0.6101,
        0.1304,
        0.6032,
        0.5944,
        0.5803,
    ],
    ("window", 0.02): [
        0.6445,
        0.3537,
        1.024,
        0.6693,
        0.37,
        0.275,
        0.2523,
        0.5388,
        0.0963,
        0.4004,
        0.5631,
        0.6662,
        0.0623,
        0.5352,
        0.6217,
        0.5985,
    ],
    ("mask", 0.002): [
        0.7813,
        0.3227,
        0.7957,
        0.7795,
        0.12,
        0.1594,
        0.3188,
        0.6154,
        0.0634,
        0.6273,
        0.4122,
        0.6139,
        0.1455,
        0.6236,
        0.5992,
        0.5778,
    ],
    ("window", 0.002): [
        0.7357,
        0.3734,
        0.9576,
        0.6343,
        0.254,
        0.3091,
        0.2056,
        0.5236,
        0.0932,
        0.5421,
        0.5571,
        0.649,
        0.0875,
        0.502,
        0.5712,
        0.5479,
    ],
}


@pytest.mark.parametrize(("task", "noise"), PIXELS)
def test_pixels_of_the_default(task: str, noise: float) -> None:
    """Filters in closed form, shared noise, and fresh noise, at two levels: each its constants."""
    truth = crop_and_shrink(load_image("camera"), 32)[None]
    blur = Blur.gaussian(1.6, SMALL, boundary="valid" if task == "window" else "circular")
    a = Inpainting.random(SMALL, keep=0.3) if task == "mask" else blur
    problem = InverseProblem(a, simulate(a, truth, GaussianNoise(noise), 0), GaussianNoise(noise))
    result = reconstruct(problem, load_prior("photos-gray"), method="matched_spectrum", seed=0)
    found = result.samples[0, 0, 0, 4::8, 4::8].flatten()
    expected = torch.tensor(PIXELS[task, noise])
    assert (found - expected).abs().max() < NEAR[task], [round(float(x), 4) for x in found]
