"""Pictures blurred by a kernel that nobody tells, from files that other programs write."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import uniform_filter1d
from typer.testing import Result

from invscore.images import crop_and_shrink, load_image, to_gray

Run = Callable[..., Result]


@pytest.fixture
def blurred(folder: Path) -> np.ndarray:  # noqa: ARG001
    image = to_gray(crop_and_shrink(load_image("coins"), 96))[0].double().numpy()
    seen = uniform_filter1d(image, 9, axis=1)[:, 8:-8]
    seen = seen + 0.01 * np.random.default_rng(0).standard_normal(seen.shape)
    Image.fromarray((255 * seen.clip(0, 1)).round().astype(np.uint8)).save("seen.png")
    return seen


def test_the_kernel_is_found_and_kept(reconstruct: Run, blurred: np.ndarray) -> None:
    result = reconstruct(
        *("--op", "blind-deblur", "--measurement", "seen.png", "--samples", "1", "--out", "out")
    )
    assert result.exit_code == 0, result.output
    told = json.loads(Path("out/metrics.json").read_text())["assumed"]
    assert told[0].startswith("kernel: motion, length ")
    assert told[1].startswith("intervals: each pair of samples has a kernel of its own")
    arrays = np.load("out/arrays.npz")
    kernel = arrays["kernel"]
    assert kernel.shape == arrays["kernel_std"].shape
    assert kernel.sum() == pytest.approx(1.0)
    line = kernel[kernel.shape[0] // 2]
    assert line.sum() > 0.8
    assert (line > 0.05).sum() in (8, 9, 10, 11)
    assert arrays["mean"].shape == (1, *blurred.shape)
    assert Path("out/kernel.png").exists()


@pytest.mark.parametrize("samples", [2, 5])
def test_kernels_are_drawn_for_samples(
    reconstruct: Run,
    blurred: np.ndarray,  # noqa: ARG001
    samples: int,
) -> None:
    """One for each of two samples, and for each pair of more, as each alone would have it."""
    given = ("--op", "blind-deblur", "--measurement", "seen.png", "--steps", "2", "--seed", "3")
    ran = reconstruct(*given, "--samples", str(samples), "--out", "out")
    assert ran.exit_code == 0, ran.output
    arrays, told = np.load("out/arrays.npz"), json.loads(Path("out/metrics.json").read_text())
    kernels = arrays["kernels"]
    assert len(arrays["samples"]) == samples
    assert len(kernels) == (2 if samples == 2 else 3)
    assert told["paired"] == (samples > 3)
    assert told["seed"] == 3
    np.testing.assert_allclose(kernels.sum(axis=(1, 2)), 1, rtol=1e-6)
    assert np.abs(kernels - kernels[0]).max(axis=(1, 2))[1:].min() > 1e-3
    assert kernels[0].shape == arrays["kernel"].shape


def test_what_tells_no_kernel_is_refused(reconstruct: Run, blurred: np.ndarray) -> None:
    np.save("flat.npy", np.full((40, 40), 0.5))
    np.save("little.npy", blurred[:9, :9])
    for arguments, sentence in (
        (("--op", "blind-deblur", "--measurement", "gray.png"), "does not tell its kernel"),
        (("--op", "blind-deblur", "--measurement", "flat.npy"), "it is the same everywhere"),
        (("--op", "blind-deblur", "--measurement", "little.npy"), "got a real one of shape (1, 9"),
        (("--op", "blind-deblur", "--image", "gray.png"), "finds the kernel of a --measurement"),
        (("--op", "blind-deblur(model=spiral)", "--measurement", "seen.png"), "model"),
    ):
        result = reconstruct(*arguments, "--samples", "1", "--out", "out")
        assert result.exit_code == 2, result.output
        assert sentence in " ".join(result.output.split())
        assert not Path("out").exists()
