"""What ``invscore reconstruct`` says of wrong input and of what goes wrong; it leaves no files."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from typer.testing import Result

import invscore.cli.report
import invscore.driver

Run = Callable[..., Result]

BAD: list[tuple[list[str], str]] = [
    (["--image", "missing.png"], "'missing.png': no such file"),
    (["--image", "kamera"], "'kamera' is neither a file nor a sample"),
    (["--image", "text.png"], "cannot be read as an image"),
    (["--image", "nan.npy"], "'nan.npy' must be finite, got NaN or infinite values"),
    (["--image", "complex.npy"], "the image must be real for operator 'deblur', got a complex one"),
    (["--image", "complex.npy", "--op", "mri(real=false)"], "the images must be real for prior"),
    ([], "one of `--image` and `--measurement` must be given, got neither"),
    (
        ["--image", "gray.png", "--measurement", "gray.png"],
        "one of `--image` and `--measurement` must be given, got both",
    ),
    (["--image", "gray.png", "--samples", "0"], "`samples` must be at least 1, got 0"),
    (["--image", "gray.png", "--steps", "0"], "`steps` must lie in [1, 1000000], got 0"),
    (
        ["--image", "gray.png", "--seed", "-1"],
        "`seed` must be a whole number of at least 0, got -1",
    ),
    (["--image", "gray.png", "--batch-size", "0"], "`batch_size` must be at least 1, got 0"),
    (["--image", "gray.png", "--noise", "-1"], "`noise` must be a standard deviation from 0"),
    (["--image", "gray.png", "--noise", "nan"], "`noise` must be a standard deviation from 0"),
    (["--image", "gray.png", "--size", "65"], "`size` must lie in [1, 64]"),
    (["--image", "gray.png", "--scale", "big"], "`scale` must be auto or a positive number"),
    (
        ["--image", "gray.png", "--scale", "-1"],
        "`scale` must be a positive number or 'auto', got -1",
    ),
    (["--image", "gray.png", "--shape", "1,2,3"], "--shape goes with --measurement"),
    (["--image", "gray.png", "--device", "cuda:77"], "on this machine, got 'cuda:77'"),
    (["--image", "gray.png", "--device", "toaster"], "`device` must be one of"),
    (["--image", "gray.png", "--method", "magic"], "unknown method 'magic': known are"),
    (["--image", "gray.png", "--method", ""], "--method must not be empty, got ''"),
    (["--image", "pipe.png"], "'pipe.png' must be a file, got a pipe or a device"),
    (["--image", "gray.png", "--samples", str(10**15)], "fewer samples would fit"),
    (
        ["--image", "gray.png", "--op", "ct(angles=1000000000)"],
        "`angles` must lie in [1, 10000], got 1000000000",
    ),
    (
        ["--image", "gray.png", "--op", "phase(oversampling=1e9)"],
        "`oversampling` must lie in [0, 32], got 1000000000.0",
    ),
    (
        ["--measurement", "complex.npy", "--op", "denoise", "--noise", "transmission(photons=9)"],
        "must hold counts from 0 for noise 'transmission', got complex numbers",
    ),
    (["--image", "gray.png", "--set", "magic=1"], "has no option 'magic': it has"),
    (
        ["--image", "gray.png", "--set", "particles=much"],
        "`particles` must be a whole number, got 'much'",
    ),
    (["--image", "gray.png", "--set", "zeta"], "--set: an option must be option=value, got 'zeta'"),
    (["--image", "gray.png", "--set", "steps=4"], "option steps is given twice"),
    (["--image", "gray.png", "--prior", "none-such"], "'none-such' is neither a file nor one of"),
    (
        ["--image", "gray.png", "--prior", "text.png"],
        "'text.png' is no file of torch.save or of safetensors",
    ),
    (["--image", "gray.png", "--op", "foo"], "unknown operator 'foo'"),
    (["--image", "gray.png", "--op", "deblur(sigma=wide)"], "`sigma` must be a number"),
    (
        ["--image", "gray.png", "--op", "deblur(sigma=-1)"],
        "`sigma` must lie in (0, 1000], got -1",
    ),
    (
        ["--image", "gray.png", "--op", "deblur(sigma"],
        "operator must be NAME, 'NAME(option=value, ...)'",
    ),
    (["--image", "gray.png", "--op", "superres(factor=7)"], "`factor` must be a divisor"),
    (["--image", "gray.png", "--op", "blur(kernel=no.png)"], "'no.png': no such file"),
    (["--image", "gray.png", "--op", "no.py:Op"], "'no.py': no such file"),
    (["--image", "gray.png", "--op", "bad.py:Op"], "SyntaxError"),
    (["--image", "gray.png", "--op", "ops.py:Op"], "'ops.py' defines no 'Op'"),
    (["--image", "gray.png", "--op", "ops.py:number"], "got an int"),
    (["--image", "gray.png", "--op", "ops.py:nothing"], "got None"),
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
    (["--image", "gray.png", "--size", "32", "--op", "ops.py:make"], "got (1, 32, 32)"),
    (["--measurement", "nan.npy"], "must be finite, got 4096 of 4096 numbers that are NaN"),
    (["--measurement", "vector.npy"], "got (5,)"),
    (["--measurement", "gray.png", "--size", "32"], "--size changes an --image"),
    (["--measurement", "gray.png", "--op", "ops.py:Half"], "give --shape C,H,W"),
    (
        ["--measurement", "gray.png", "--shape", "1,x"],
        "`shape` must be whole numbers such as 1,256,256, got '1,x'",
    ),
    (["--measurement", "gray.png", "--shape", "64,64"], "`shape` must be that of images (c, h, w)"),
    (
        ["--measurement", "gray.png", "--shape", "1,32,32"],
        "must have the operator's shape (1, 18, 18)",
    ),
    (["--measurement", "gray.png", "--op", "mri"], "must be complex for this operator"),
    (["--measurement", "complex.npy"], "must be real for this operator"),
    (["--image", "gray.png", "--out", "gray.png"], "'gray.png' is a file"),
    (["--image", "gray.png", "--out", "gray.png/o"], "cannot be written to"),
    (["--image", "gray.png", "--out", "full"], "`--out` must be empty or hold results of invscore"),
]


@pytest.fixture
def bad_files(operators: Path) -> Path:
    (operators / "text.png").write_text("hello")
    (operators / "bad.py").write_text("class Op(:\n")
    (operators / "exits.py").write_text("raise SystemExit(3)\n")
    np.save("nan.npy", np.full((64, 64), np.nan))
    np.save("complex.npy", np.full((64, 64), 0.5j))
    np.save("vector.npy", np.zeros(5))
    os.mkfifo("pipe.png")
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


def test_a_colour_prior_serves_gray_images_too(
    reconstruct: Run, folder: Path, colour_prior: str
) -> None:
    for name in ("gray", "colour"):
        done = reconstruct("--image", f"{name}.png", "--prior", colour_prior)
        assert done.exit_code == 0, done.stderr
        assert (folder / "results" / f"{name}-deblur").is_dir()


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
    assert done.exit_code == 2
    assert done.stderr.startswith("Traceback")
    assert done.stderr.endswith("error: 'missing.png': no such file\n")
