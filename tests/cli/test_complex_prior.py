"""Complex images from the command line: MRI with a prior that knows them."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import Result

from invscore.images import load_image
from invscore.networks import build_network
from invscore.priors.network import NetworkPrior

Run = Callable[..., Result]


@pytest.fixture(scope="session")
def complex_prior(tmp_path_factory: pytest.TempPathFactory) -> str:
    """One complex channel; an untrained network, and so a white Gaussian prior."""
    path = tmp_path_factory.mktemp("prior") / "complex.safetensors"
    architecture = {"name": "unet", "channels": 2, "widths": [4, 8], "blocks": 1}
    network = build_network(**architecture)  # type: ignore[arg-type]
    metadata = {"architecture": architecture}
    NetworkPrior(network, channels=1, mean=0.0, complex=True, metadata=metadata).save(path)
    return str(path)


@pytest.fixture
def turned(folder: Path) -> str:
    """The gray image with a smooth phase."""
    phase = np.exp(3j * np.linspace(-1, 1, 64))
    np.save(folder / "turned.npy", load_image("gray.png")[0].numpy() * phase)
    return "turned.npy"


def run(reconstruct: Run, *arguments: str) -> Result:
    return reconstruct("--op", "mri", *arguments, "--out", "out", "--samples", "2")


def test_a_complex_image(reconstruct: Run, complex_prior: str, turned: str) -> None:
    done = run(reconstruct, "--image", turned, "--prior", complex_prior)
    assert done.exit_code == 0, done.output
    arrays = np.load("out/arrays.npz")
    assert arrays["mean"].dtype == arrays["truth"].dtype == np.complex64
    assert arrays["std"].dtype == np.float32
    shown = load_image("out/reconstruction.png")[0]
    peak = np.abs(arrays["truth"]).max()
    magnitude = torch.from_numpy(np.abs(arrays["mean"][0]) / peak).clamp(0, 1)
    torch.testing.assert_close(shown, magnitude, rtol=0, atol=0.51 / 255)
    assert Path("out/figure.png").stat().st_size > 10_000


def test_a_real_image_is_a_complex_one(reconstruct: Run, complex_prior: str) -> None:
    done = run(reconstruct, "--image", "gray.png", "--prior", complex_prior)
    assert done.exit_code == 0, done.output
    truth = np.load("out/arrays.npz")["truth"]
    assert truth.dtype == np.complex64
    np.testing.assert_array_equal(truth[0].real, load_image("gray.png")[0])
    assert not truth.imag.any()


@pytest.mark.parametrize(
    ("operator", "image", "message"),
    [
        (
            "mri(real=true)",
            "turned.npy",
            "the image must be real for operator 'mri', got a complex one",
        ),
        ("mri(real=true)", "gray.png", "the images must be complex for prior '.*', got real ones"),
        ("deblur", "gray.png", "the images must be complex for prior '.*', got real ones"),
    ],
)
@pytest.mark.usefixtures("turned")
def test_real_operators(
    reconstruct: Run, complex_prior: str, operator: str, image: str, message: str
) -> None:
    done = reconstruct("--op", operator, "--image", image, "--prior", complex_prior)
    assert done.exit_code == 2
    assert re.search(message, " ".join(done.stderr.split()))
