"""``invscore reconstruct`` from end to end, with a tiny untrained prior."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import Result

from invscore.images import load_image
from invscore.metrics import psnr, ssim
from invscore.rng import SampleRNG
from invscore.uncertainty import moderated

Run = Callable[..., Result]


def metrics_in(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / "metrics.json").read_text())
    return content


def test_a_sample_of_a_simulated_measurement(reconstruct: Run, folder: Path) -> None:
    options = ("--noise", "0.05", "--seed", "4", "--samples", "1")
    done = reconstruct("--image", "gray.png", *options)
    assert done.exit_code == 0, done.output
    out = folder / "results" / "gray-deblur"
    assert sorted(file.name for file in out.iterdir()) == [
        "arrays.npz",
        "figure.png",
        "measurement.png",
        "metrics.json",
        "reconstruction.png",
        "truth.png",
    ]
    arrays = np.load(out / "arrays.npz")
    truth, y, mean = (torch.from_numpy(arrays[name]) for name in ("truth", "y", "mean"))
    assert torch.equal(truth, load_image("gray.png"))
    assert arrays["samples"].shape == (1, 1, 64, 64)
    assert "std" not in arrays

    metrics = metrics_in(out)
    assert metrics["psnr"] == pytest.approx(psnr(mean[None], truth[None]).item(), abs=1e-3)
    assert metrics["psnr_measurement"] == pytest.approx(psnr(y[None], truth[None]).item(), abs=1e-3)
    assert metrics["ssim_measurement"] == pytest.approx(ssim(y[None], truth[None]).item(), abs=1e-3)
    expected = {
        "op": "deblur",
        "image": "gray.png",
        "noise": 0.05,
        "method": "matched_spectrum",
        "asked": "auto",
        "samples": 1,
        "seed": 4,
        "evaluations": 3,
        "shape": [1, 64, 64],
        "peak": 1,
    }
    assert {name: metrics[name] for name in expected} == expected
    assert metrics["options"]["steps"] == 3
    assert set(metrics["versions"]) == {"invscore", "torch", "numpy", "python"}
    for part in ("measurement", "reconstruction", "PSNR", "SSIM", "auto", "figure.png"):
        assert part in done.stdout


def test_the_noise_has_the_level_that_was_asked_for(reconstruct: Run, folder: Path) -> None:
    reconstruct("--op", "inpaint(keep=0.5)", "--image", "gray.png", "--noise", "0.2", "--out", "o")
    arrays = np.load(folder / "o" / "arrays.npz")
    measured = arrays["y"] != 0
    assert measured.mean() == pytest.approx(0.5, abs=0.01)
    error = (arrays["y"] - arrays["truth"])[measured]
    assert error.std() == pytest.approx(0.2, rel=0.08)


def test_the_noise_is_not_that_of_the_sampler(reconstruct: Run, folder: Path) -> None:
    reconstruct("--op", "denoise", "--image", "gray.png", "--seed", "5", "--out", "o")
    arrays = np.load(folder / "o" / "arrays.npz")
    error = torch.from_numpy(arrays["y"] - arrays["truth"])
    drawn = SampleRNG([(5, 0)]).normal_like(error[None])[0]
    assert abs(np.corrcoef(error.flatten(), drawn.flatten())[0, 1]) < 5 / 64


def test_several_samples_have_a_mean_and_a_spread(reconstruct: Run, folder: Path) -> None:
    done = reconstruct("--image", "gray.png", "--samples", "3", "--batch-size", "2", "--out", "o")
    assert done.exit_code == 0, done.output
    out = folder / "o"
    arrays = np.load(out / "arrays.npz")
    assert arrays["samples"].shape == (3, 1, 64, 64)
    np.testing.assert_allclose(arrays["mean"], arrays["samples"].mean(0), atol=1e-6)
    # Of a pair and one alone: with W half the squared difference of the pair and S the squares
    # about the mean, the variance is (S - 2 W / 3) / (3 - 5 / 3).
    a, b, _ = arrays["samples"]
    variance = (3 * arrays["samples"].var(0) - (a - b) ** 2 / 3) / (4 / 3)
    assert (arrays["std"] ** 2).mean() == pytest.approx(variance.clip(0).mean(), rel=1e-3)
    told = moderated(torch.from_numpy(arrays["samples"])[:, None], paired=True)
    np.testing.assert_allclose(arrays["std"] ** 2, told.variance[0], rtol=1e-2, atol=1e-6)
    assert (out / "std.png").exists()
    drawn = np.asarray(Image.open(out / "std.png"))
    assert drawn.shape == (64, 64)
    assert drawn.max() == 255
    assert (out / "mean.png").read_bytes() == (out / "reconstruction.png").read_bytes()
    metrics = metrics_in(out)
    mean, samples, truth = (torch.from_numpy(arrays[k]) for k in ("mean", "samples", "truth"))
    assert metrics["psnr"] == pytest.approx(psnr(mean[None], truth[None]).item(), abs=1e-3)
    each = psnr(samples, truth.expand_as(samples))
    assert metrics["psnr_sample"] == pytest.approx(each.mean().item(), abs=1e-3)
    assert "mean of 3 samples" in done.stdout

    # An earlier run leaves nothing of its own behind.
    assert reconstruct("--image", "gray.png", "--samples", "1", "--out", "o").exit_code == 0
    assert not (out / "std.png").exists()
    assert "psnr_sample" not in metrics_in(out)


@pytest.mark.parametrize(("method", "samples"), [("auto", 4), ("map", 1)])
def test_four_samples_or_one_estimate(
    method: str, samples: int, reconstruct: Run, folder: Path
) -> None:
    done = reconstruct("--image", "gray.png", "--method", method, "--out", "o")
    assert done.exit_code == 0, done.output
    assert metrics_in(folder / "o")["samples"] == samples
    assert (folder / "o" / "std.png").exists() == (samples > 1)


def test_a_spread_of_colours_is_drawn_in_gray(reconstruct: Run, folder: Path) -> None:
    assert reconstruct("--image", "colour.png", "--samples", "2", "--out", "o").exit_code == 0
    spread = np.load(folder / "o" / "arrays.npz")["std"].mean(0)
    drawn = np.asarray(Image.open(folder / "o" / "std.png"), dtype=float)
    np.testing.assert_allclose(drawn, 255 * spread / spread.max(), atol=0.51)


@pytest.mark.parametrize(
    ("method", "cause"),
    [
        ("dps", "times the declared noise, where 1 is expected: the noise is more"),
        ("auto", "the noise is at least 0.1, not 0.01"),
    ],
)
def test_a_residual_far_above_the_noise_is_spoken_of(
    method: str, cause: str, reconstruct: Run, folder: Path
) -> None:
    # No image explains white noise under a blur, so that its level shows.
    np.save("y.npy", 0.5 + 0.1 * np.random.default_rng(0).standard_normal((64, 64)))
    for noise, suspicious in (("0.01", True), ("0.1", False)):
        own = ("--measurement", "y.npy", "--op", "deblur(boundary=circular)", "--out", "o")
        done = reconstruct(*own, "--method", method, "--noise", noise, "--samples", "1")
        metrics = metrics_in(folder / "o")
        assert (metrics["residual"] > 2**0.5) == suspicious
        assert metrics["residual"] == metrics["discrepancy"], "of the only sample"
        assert len(metrics["warnings"]) == suspicious
        for sentence in metrics["warnings"]:
            assert f"warning: {sentence}\n" in done.stdout
            assert cause in sentence


def test_json_prints_the_metrics_and_nothing_else(reconstruct: Run, folder: Path) -> None:
    done = reconstruct("--image", "gray.png", "--out", "o", "--json")
    assert json.loads(done.stdout) == metrics_in(folder / "o")
    assert done.stderr == ""


def test_seeds(reconstruct: Run, folder: Path) -> None:
    for name, seed in (("a", "0"), ("b", "0"), ("c", "1")):
        assert reconstruct("--image", "gray.png", "--out", name, "--seed", seed).exit_code == 0
    a, b, c = (np.load(folder / name / "arrays.npz") for name in "abc")
    for array in ("y", "samples"):
        assert np.array_equal(a[array], b[array])
        assert not np.array_equal(a[array], c[array])


def test_samples_of_scikit_image_have_256_pixels(reconstruct: Run, folder: Path) -> None:
    reconstruct("--image", "camera", "--op", "denoise", "--steps", "1", "--out", "o")
    assert metrics_in(folder / "o")["shape"] == [1, 256, 256]
    reconstruct("--image", "camera", "--size", "32", "--steps", "1", "--out", "o")
    assert metrics_in(folder / "o")["shape"] == [1, 32, 32]


@pytest.mark.parametrize(
    "op",
    [
        "motion(boundary=circular)",
        "defocus(boundary=reflect)",
        "inpaint",
        "box(size=16)",
        "superres",
        "mri",
        "denoise",
        "deblur(boundary=valid)",
        "blur(kernel=k.png, boundary=valid)",
        "inpaint(mask=m.png)",
    ],
)
@pytest.mark.parametrize("image", ["gray.png", "colour.png"])
def test_a_measurement_is_restored_like_the_simulated_one(
    reconstruct: Run, folder: Path, op: str, image: str
) -> None:
    Image.fromarray(np.full((5, 5), 255, dtype=np.uint8)).save("k.png")
    Image.fromarray(np.eye(64, dtype=np.uint8) * 255).save("m.png")
    options = ("--op", op, "--noise", "0.01", "--method", "dps", "--set", "guidance=0.2")
    done = reconstruct("--image", image, "--out", "simulated", *options)
    assert done.exit_code == 0, done.output
    simulated = np.load(folder / "simulated" / "arrays.npz")
    np.save("y.npy", simulated["y"])
    done = reconstruct("--measurement", "y.npy", "--out", "own", *options)
    assert done.exit_code == 0, done.output
    own = np.load(folder / "own" / "arrays.npz")
    assert np.array_equal(own["samples"], simulated["samples"])
    margin = {"samples_with_margin"} if "valid" in op else set()
    assert set(own) == {"y", "samples", "mean", "std"} | margin
    metrics = metrics_in(folder / "own")
    assert metrics["psnr"] is None
    assert metrics["measurement"] == "y.npy"
    assert (folder / "own" / "figure.png").exists()
    assert (folder / "own" / "measurement.png").exists()
    assert not (folder / "own" / "truth.png").exists()


def test_noise_that_is_not_declared_is_estimated(reconstruct: Run, folder: Path) -> None:
    grain = 0.1 * np.random.default_rng(0).standard_normal((64, 64))
    np.save("y.npy", 0.5 + grain)
    done = reconstruct("--measurement", "y.npy", "--op", "deblur(sigma=1.6)", "--out", "o")
    assert done.exit_code == 0, done.output
    metrics = metrics_in(folder / "o")
    assert metrics["noise_estimated"]
    assert metrics["noise"] == pytest.approx(0.1, rel=0.6)  # by a prior that was not trained
    assert f"noise {metrics['noise']:.3g}, estimated from the measurement" in done.output
    done = reconstruct("--measurement", "y.npy", "--op", "hdr", "--method", "dps")
    assert done.exit_code == 2
    assert "give the noise level (--noise)" in done.stderr
    assert reconstruct("--image", "gray.png", "--noise", "auto").exit_code == 2


def test_an_image_file_is_a_measurement(reconstruct: Run, folder: Path) -> None:
    assert reconstruct("--measurement", "gray.png", "--op", "superres(factor=2)").exit_code == 0
    out = folder / "results" / "gray-superres"
    assert Image.open(out / "reconstruction.png").size == (128, 128)


def test_measurements_in_other_units_look_alike(reconstruct: Run, folder: Path) -> None:
    pixels = load_image("gray.png")
    np.save("counts.npy", 1000 * pixels.numpy())
    reconstruct("--measurement", "gray.png", "--out", "a", "--op", "denoise", "--noise", "0.01")
    options = ("--op", "denoise", "--noise", "10", "--scale", "1000")
    done = reconstruct("--measurement", "counts.npy", "--out", "b", *options)
    assert done.exit_code == 0, done.output
    a, b = (np.asarray(Image.open(folder / name / "reconstruction.png"), int) for name in "ab")
    assert np.abs(a - b).max() <= 1
    assert metrics_in(folder / "b")["scale"] == 1000


@pytest.mark.parametrize("name", ["Half", "Half(gain=0.25)", "make(a=2)", "instance", "Total"])
def test_operators_of_ones_own(reconstruct: Run, operators: Path, name: str) -> None:
    options = ("--method", "dps", "--out", "o", "--noise", "0.01")
    done = reconstruct("--op", f"ops.py:{name}", "--image", "gray.png", *options)
    assert done.exit_code == 0, done.output
    np.save("y.npy", np.load(operators / "o" / "arrays.npz")["y"])
    shape = ("--shape", "1,64,64") if name.startswith("Half") else ()
    done = reconstruct("--op", f"ops.py:{name}", "--measurement", "y.npy", *shape, *options)
    assert done.exit_code == 0, done.output
    assert (operators / "o" / "measurement.png").exists() == (name != "Total")


def test_check_tells_right_from_wrong(invscore: Run, operators: Path) -> None:  # noqa: ARG001
    right = invscore("check", "ops.py:Half", "--shape", "1,8,8")
    wrong = invscore("check", "ops.py:Wrong", "--shape", "1,8,8")
    assert (right.exit_code, wrong.exit_code) == (0, 1)
    assert "adjoint" in wrong.stdout
    assert invscore("check", "deblur").exit_code == 0
