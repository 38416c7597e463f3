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

import invscore.cli.report
import invscore.driver
from invscore.images import load_image
from invscore.metrics import psnr, ssim
from invscore.rng import SampleRNG

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
        "method": "auto",
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
    np.testing.assert_allclose(arrays["std"], arrays["samples"].std(0, ddof=1), atol=1e-5)
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


def test_a_residual_far_above_the_noise_is_spoken_of(reconstruct: Run, folder: Path) -> None:
    for method, noise, suspicious in (("dps", "0.001", True), ("diffpir", "0.1", False)):
        options = ("--method", method, "--noise", noise, "--samples", "1", "--out", "o")
        done = reconstruct("--image", "gray.png", *options)
        metrics = metrics_in(folder / "o")
        assert (metrics["residual"] > 2**0.5) == suspicious
        assert metrics["residual"] == metrics["discrepancy"], "of the only sample"
        assert len(metrics["warnings"]) == suspicious
        for sentence in metrics["warnings"]:
            assert f"warning: {sentence}\n" in done.stdout
            assert "times the declared noise, where 1 is expected: the noise is more" in sentence
        assert done.stdout.count("times the") == 1


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
        "motion",
        "defocus",
        "inpaint",
        "box(size=16)",
        "superres",
        "mri",
        "denoise",
        "deblur(boundary=valid)",
        "blur(kernel=k.png)",
        "inpaint(mask=m.png)",
    ],
)
@pytest.mark.parametrize("image", ["gray.png", "colour.png"])
def test_a_measurement_is_restored_like_the_simulated_one(
    reconstruct: Run, folder: Path, op: str, image: str
) -> None:
    Image.fromarray(np.full((5, 5), 255, dtype=np.uint8)).save("k.png")
    Image.fromarray(np.eye(64, dtype=np.uint8) * 255).save("m.png")
    options = ("--op", op, "--method", "dps", "--set", "guidance=0.2")
    done = reconstruct("--image", image, "--out", "simulated", *options)
    assert done.exit_code == 0, done.output
    simulated = np.load(folder / "simulated" / "arrays.npz")
    np.save("y.npy", simulated["y"])
    done = reconstruct("--measurement", "y.npy", "--out", "own", *options)
    assert done.exit_code == 0, done.output
    own = np.load(folder / "own" / "arrays.npz")
    assert np.array_equal(own["samples"], simulated["samples"])
    assert set(own) == {"y", "samples", "mean", "std"}
    metrics = metrics_in(folder / "own")
    assert metrics["psnr"] is None
    assert metrics["measurement"] == "y.npy"
    assert (folder / "own" / "figure.png").exists()
    assert (folder / "own" / "measurement.png").exists()
    assert not (folder / "own" / "truth.png").exists()


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


OPERATORS = """
import torch
from invscore.operators import Identity, LinearOperator

class Half(LinearOperator):
    def __init__(self, in_shape, gain=0.5):
        self.in_shape = self.out_shape = tuple(in_shape)
        self.gain = gain
    def matvec(self, x):
        return self.gain * x
    def rmatvec(self, y):
        return self.gain * y

class Total(LinearOperator):
    in_shape, out_shape = (1, 64, 64), (64,)
    def matvec(self, x):
        return x.mean(dim=(1, 2))
    def rmatvec(self, y):
        return y[:, None, None].expand(-1, 1, 64, 64) / 64

class Wrong(Half):
    def rmatvec(self, y):
        return 3 * self.gain * y

def make(a: int = 1):
    return Identity((1, 64, 64))

instance = Half((1, 64, 64))
number = 3

def broken(in_shape):
    return in_shape[7]

class Shapeless(Half):
    def __init__(self):
        pass

class Abstract(LinearOperator):
    def matvec(self, x):
        return x

def leaves():
    raise SystemExit(7)

def nothing():
    return None
"""


@pytest.fixture
def operators(folder: Path) -> Path:
    (folder / "ops.py").write_text(OPERATORS)
    return folder


@pytest.mark.parametrize("name", ["Half", "Half(gain=0.25)", "make(a=2)", "instance", "Total"])
def test_operators_of_ones_own(reconstruct: Run, operators: Path, name: str) -> None:
    options = ("--method", "dps", "--out", "o")
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


BAD: list[tuple[list[str], str]] = [
    (["--image", "missing.png"], "'missing.png': no such file"),
    (["--image", "kamera"], "'kamera' is neither a file nor a sample"),
    (["--image", "text.png"], "cannot be read as an image"),
    (["--image", "nan.npy"], "'nan.npy' has values that are NaN or infinite"),
    (["--image", "complex.npy"], "the image is complex: operator 'deblur' takes real images"),
    (["--image", "complex.npy", "--op", "mri(real=false)"], "the images are complex: prior"),
    ([], "neither of --image and --measurement given"),
    (["--image", "gray.png", "--measurement", "gray.png"], "both of --image and --measurement"),
    (["--image", "gray.png", "--samples", "0"], "samples is 0"),
    (["--image", "gray.png", "--steps", "0"], "steps is 0"),
    (["--image", "gray.png", "--seed", "-1"], "seed is -1"),
    (["--image", "gray.png", "--batch-size", "0"], "batch_size is 0"),
    (["--image", "gray.png", "--noise", "0"], "noise is 0: a positive standard deviation"),
    (["--image", "gray.png", "--noise", "nan"], "noise is nan: a positive standard deviation"),
    (["--image", "gray.png", "--size", "65"], "size is 65: 1 to 64 is allowed"),
    (["--image", "gray.png", "--scale", "big"], "scale is 'big': auto or a positive number"),
    (["--image", "gray.png", "--scale", "-1"], "scale is -1"),
    (["--image", "gray.png", "--shape", "1,2,3"], "--shape goes with --measurement"),
    (["--image", "gray.png", "--device", "cuda:77"], "device is 'cuda:77': this machine has"),
    (["--image", "gray.png", "--device", "toaster"], "device is 'toaster': this machine has"),
    (["--image", "gray.png", "--method", "magic"], "unknown method 'magic': known are"),
    (["--image", "gray.png", "--set", "magic=1"], "has no option 'magic': it has"),
    (
        ["--image", "gray.png", "--set", "particles=much"],
        "particles is 'much': a whole number is allowed",
    ),
    (["--image", "gray.png", "--set", "zeta"], "--set: 'zeta' is not understood"),
    (["--image", "gray.png", "--set", "steps=4"], "option steps is given twice"),
    (["--image", "gray.png", "--prior", "none-such"], "'none-such' is neither a file nor one of"),
    (["--image", "gray.png", "--prior", "text.png"], "'text.png' cannot be read"),
    (["--image", "gray.png", "--op", "foo"], "unknown operator 'foo'"),
    (["--image", "gray.png", "--op", "deblur(sigma=wide)"], "sigma is 'wide': a number"),
    (["--image", "gray.png", "--op", "deblur(sigma=-1)"], "sigma is -1"),
    (["--image", "gray.png", "--op", "deblur(sigma"], "is not understood"),
    (["--image", "gray.png", "--op", "superres(factor=7)"], "factor is 7: a divisor"),
    (["--image", "gray.png", "--op", "blur(kernel=no.png)"], "'no.png': no such file"),
    (["--image", "gray.png", "--op", "no.py:Op"], "'no.py': no such file"),
    (["--image", "gray.png", "--op", "bad.py:Op"], "SyntaxError"),
    (["--image", "gray.png", "--op", "ops.py:Op"], "'ops.py' defines no 'Op'"),
    (["--image", "gray.png", "--op", "ops.py:number"], "is of type int: an Operator"),
    (["--image", "gray.png", "--op", "ops.py:nothing"], "gives a NoneType: an Operator"),
    (["--image", "gray.png", "--op", "ops.py:instance(a=1)"], "it takes no options"),
    (["--image", "gray.png", "--op", "ops.py:make(b=1)"], "no option 'b': it has a"),
    (["--image", "gray.png", "--op", "ops.py:broken"], "IndexError: tuple index out of range"),
    (
        ["--image", "gray.png", "--op", "ops.py:Shapeless"],
        "'Shapeless' in 'ops.py' has no in_shape",
    ),
    (["--image", "gray.png", "--op", "ops.py:Abstract"], "instantiate abstract class Abstract"),
    (["--image", "gray.png", "--op", "ops.py:leaves"], "SystemExit: 7 (ops.py, line "),
    (["--image", "gray.png", "--op", "exits.py:Op"], "cannot be imported: SystemExit: 3"),
    (["--image", "gray.png", "--size", "32", "--op", "ops.py:make"], "shape (1, 32, 32)"),
    (["--measurement", "nan.npy"], "has values that are NaN or infinite"),
    (["--measurement", "vector.npy"], "has shape (5,)"),
    (["--measurement", "gray.png", "--size", "32"], "--size changes an --image"),
    (["--measurement", "gray.png", "--op", "ops.py:Half"], "give --shape C,H,W"),
    (["--measurement", "gray.png", "--shape", "1,x"], "shape is '1,x'"),
    (["--measurement", "gray.png", "--shape", "64,64"], "takes images (c, h, w)"),
    (["--measurement", "gray.png", "--shape", "1,32,32"], "the operator measures (1, 32, 32)"),
    (["--measurement", "gray.png", "--op", "mri"], "the operator measures complex y"),
    (["--measurement", "complex.npy"], "the operator measures real y"),
    (["--image", "gray.png", "--out", "gray.png"], "'gray.png' is a file"),
    (["--image", "gray.png", "--out", "gray.png/o"], "cannot be written to"),
    (["--image", "gray.png", "--out", "full"], "is not empty and holds no results"),
]


@pytest.fixture
def bad_files(operators: Path) -> Path:
    (operators / "text.png").write_text("hello")
    (operators / "bad.py").write_text("class Op(:\n")
    (operators / "exits.py").write_text("raise SystemExit(3)\n")
    np.save("nan.npy", np.full((64, 64), np.nan))
    np.save("complex.npy", np.full((64, 64), 0.5j))
    np.save("vector.npy", np.zeros(5))
    (operators / "full").mkdir()
    (operators / "full" / "thesis.tex").write_text("hello")
    return operators


@pytest.mark.parametrize(("arguments", "message"), BAD, ids=lambda value: str(value)[:40])
def test_wrong_input_gives_one_sentence(
    reconstruct: Run, bad_files: Path, arguments: list[str], message: str
) -> None:
    before = sorted(bad_files.rglob("*"))
    done = reconstruct(*arguments)
    assert done.exit_code == 2, done.output
    assert message in done.stderr
    assert done.stderr.startswith("invscore: error: ")
    assert done.stderr.count("\n") == 1
    assert "unexpected" not in done.stderr
    assert "custom.py" not in done.stderr  # places are those in the user's own code
    assert done.stdout == ""
    after = [path for path in sorted(bad_files.rglob("*")) if "__pycache__" not in path.parts]
    assert after == before


def test_a_gray_image_does_not_fit_a_colour_prior(
    reconstruct: Run, folder: Path, colour_prior: str
) -> None:
    done = reconstruct("--image", "gray.png", "--prior", colour_prior)
    assert done.exit_code == 2
    assert "takes images of 3 channels, given 1" in done.stderr
    assert not (folder / "results").exists()
    assert reconstruct("--image", "colour.png", "--prior", colour_prior).exit_code == 0


def test_unknown_options_are_usage_errors(reconstruct: Run) -> None:
    done = reconstruct("--image", "gray.png", "--sampels", "3")
    assert done.exit_code == 2
    assert "--sampels" in done.stderr


def test_overwrite_keeps_what_is_not_ours(reconstruct: Run, bad_files: Path) -> None:
    assert reconstruct("--image", "gray.png", "--out", "full", "--overwrite").exit_code == 0
    assert (bad_files / "full" / "thesis.tex").read_text() == "hello"
    assert (bad_files / "full" / "metrics.json").exists()


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (KeyboardInterrupt(), 130, "invscore: interrupted\n"),
        (invscore.driver.NumericalError("the state is NaN"), 2, "error: the state is NaN"),
        (torch.OutOfMemoryError("CUDA out of memory.\nTried"), 2, "error: out of memory: "),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), 2, "error: out of memory: "),
        (KeyError("x"), 2, "error: unexpected KeyError: 'x' (--debug shows where)"),
    ],
)
def test_what_goes_wrong_while_sampling_leaves_nothing(
    reconstruct: Run,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
    status: int,
    said: str,
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(invscore.driver, "reconstruct", fail)
    done = reconstruct("--image", "gray.png")
    assert done.exit_code == status
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (folder / "results").exists()


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_what_goes_wrong_while_writing_leaves_nothing(
    reconstruct: Run, folder: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise error

    assert reconstruct("--image", "gray.png", "--out", "old").exit_code == 0
    before = {file.name: file.read_bytes() for file in (folder / "old").iterdir()}
    monkeypatch.setattr(np, "savez", fail)
    for name in ("a/b/new", "old"):
        done = reconstruct("--image", "gray.png", "--seed", "3", "--out", name)
        assert done.exit_code == (130 if isinstance(error, KeyboardInterrupt) else 2)
        assert ("No space left" in done.stderr) == isinstance(error, OSError)
    assert not (folder / "a").exists()
    assert {file.name: file.read_bytes() for file in (folder / "old").iterdir()} == before
    assert not [path for path in folder.iterdir() if path.name.startswith(".")]


def test_debug_shows_the_traceback(reconstruct: Run) -> None:
    done = reconstruct("--image", "missing.png", "--debug")
    assert isinstance(done.exception, ValueError)
