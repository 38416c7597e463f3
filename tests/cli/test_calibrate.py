"""``invscore calibrate`` and ``reconstruct --calibration``, with a tiny untrained prior."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from typer.testing import Result

from invscore.calibration import Calibration
from invscore.images import crop_and_shrink, load_image, save_image
from invscore.uncertainty.intervals import half_width

Run = Callable[..., Result]

COMMON = ("--op", "denoise", "--noise", "0.1", "--samples", "3", "--level", "0.5")


@pytest.fixture
def photos(folder: Path) -> Path:
    """Four gray images of 16 x 16 pixels."""
    (folder / "photos").mkdir()
    for name in ("brick", "camera", "coins", "moon"):
        save_image(folder / "photos" / f"{name}.png", crop_and_shrink(load_image(name), 16))
    return folder


@pytest.fixture
def calibrate(invscore: Run, prior: str, photos: Path) -> Run:  # noqa: ARG001
    """``calibrate(*arguments)`` with the tiny prior, few steps and the four images."""

    def run(*arguments: str) -> Result:
        given = list(arguments)
        for option, value in (("--images", "photos"), ("--prior", prior), ("--steps", "3")):
            if option not in given:
                given += [option, value]
        for option, value in zip(COMMON[::2], COMMON[1::2], strict=True):
            if option not in given:
                given += [option, value]
        return invscore("calibrate", *given)

    return run


def test_what_is_written(calibrate: Run, photos: Path) -> None:
    done = calibrate("--out", "c.json")
    assert done.exit_code == 0, done.output
    assert done.stderr == ""
    found = Calibration.load(photos / "c.json")
    assert found.level == 0.5
    assert len(found.images) == 4
    setting = dict(found.setting)
    assert setting["method"] == "auto"
    assert setting["options"]["steps"] == 3
    assert setting["operator"] == {"name": "denoise"}
    assert (setting["noise"], setting["samples"], setting["scale"]) == (0.1, 3, "auto")
    assert setting["prior"].startswith("tiny (")
    for part in ("pixels held", "before", "after", "hold 50% of the pixels", "c.json"):
        assert part in done.stdout
    few = "4 images the factor has to hold 62% of their pixels, and 67% of the others'"
    assert few in " ".join(done.stdout.split())

    again = calibrate("--out", "d.json", "--json", "--batch-size", "1")
    assert json.loads(again.stdout) == json.loads((photos / "d.json").read_text())
    assert json.loads(again.stdout)["factor"] == pytest.approx(found.factor, rel=1e-5)
    other = calibrate("--out", "e.json", "--seed", "7")
    assert other.exit_code == 0, other.output
    assert Calibration.load(photos / "e.json").factor != found.factor


def test_many_images_need_no_word() -> None:
    """80 at a level of 0.8: a point beyond it where one is left out is from 81 on."""
    from invscore.cli.calibrate import _price_of_few

    assert _price_of_few(81, 0.8) == ""
    assert "from 81 images on" in _price_of_few(80, 0.8)


def test_images_have_noise_of_their_own(calibrate: Run, photos: Path) -> None:
    image = load_image(photos / "photos" / "moon.png")
    for name in ("brick", "camera", "coins"):
        save_image(photos / "photos" / f"{name}.png", image)
    assert calibrate("--out", "c.json").exit_code == 0
    images = Calibration.load(photos / "c.json").images
    assert len({image.width_before for image in images}) == 4


def test_it_is_applied(calibrate: Run, reconstruct: Run, photos: Path) -> None:
    assert calibrate("--out", "c.json").exit_code == 0
    factor = Calibration.load("c.json").factor
    options = ("--op", "denoise", "--noise", "0.1", "--samples", "3", "--calibration", "c.json")
    done = reconstruct("--image", "gray.png", "--out", "o", *options)
    assert done.exit_code == 0, done.output
    arrays = np.load(photos / "o" / "arrays.npz")
    samples = torch.from_numpy(arrays["samples"]).double()  # a pair, and one alone
    half = factor * half_width(samples, 0.5, paired=True).numpy()
    np.testing.assert_allclose(arrays["upper"], arrays["mean"] + half, atol=1e-5)
    np.testing.assert_allclose(arrays["lower"], arrays["mean"] - half, atol=1e-5)
    metrics: dict[str, Any] = json.loads((photos / "o" / "metrics.json").read_text())
    inside = (arrays["lower"] <= arrays["truth"]) & (arrays["truth"] <= arrays["upper"])
    assert metrics["interval"] == {
        "level": 0.5,
        "calibrated": True,
        "factor": pytest.approx(factor),
        "width": pytest.approx(2 * half.mean(), abs=1e-4),
        "coverage": pytest.approx(inside.mean(), abs=1e-4),
    }
    assert "calibrated interval, level 0.5" in done.stdout
    figure = (photos / "o" / "figure.png").read_bytes()

    plain = reconstruct("--image", "gray.png", "--out", "o", *options[:-2])
    assert plain.exit_code == 0
    assert (photos / "o" / "figure.png").read_bytes() != figure, "it shows the standard deviation"
    assert "lower" not in np.load(photos / "o" / "arrays.npz")
    assert "interval" not in json.loads((photos / "o" / "metrics.json").read_text())


def test_a_measurement_has_an_interval_without_coverage(
    calibrate: Run, reconstruct: Run, photos: Path
) -> None:
    assert calibrate("--out", "c.json").exit_code == 0
    options = ("--op", "denoise", "--noise", "0.1", "--samples", "3", "--calibration", "c.json")
    done = reconstruct("--measurement", "gray.png", "--out", "o", *options)
    assert done.exit_code == 0, done.output
    metrics = json.loads((photos / "o" / "metrics.json").read_text())
    assert metrics["interval"]["coverage"] is None
    assert "of the truth inside" not in done.stdout


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (["--noise", "0.2"], "noise 0.1, given 0.2"),
        (["--samples", "4"], "samples 3, given 4"),
        (["--steps", "4"], "options.steps 3, given 4"),
        (["--method", "dps"], "method auto, given dps"),
        (["--op", "inpaint"], "operator.name denoise, given inpaint"),
        (["--scale", "2"], "scale auto, given 2.0"),
        (["--set", "particles=50"], "options.particles 100, given 50"),
        (["--prior", "other/tiny.safetensors"], "prior tiny ("),
    ],
)
def test_another_setting_is_refused(
    calibrate: Run, reconstruct: Run, prior: str, photos: Path, changes: list[str], sentence: str
) -> None:
    from invscore.priors import load_prior

    other = load_prior(prior)
    with torch.no_grad():
        next(other.parameters()).mul_(1.01)
    (photos / "other").mkdir()
    other.save(photos / "other" / "tiny.safetensors")
    setting = {"--op": "denoise", "--noise": "0.1", "--samples": "3"}
    assert calibrate("--out", "c.json").exit_code == 0
    setting |= dict(zip(changes[::2], changes[1::2], strict=True))
    given = [part for pair in setting.items() for part in pair]
    done = reconstruct("--image", "gray.png", "--calibration", "c.json", *given)
    assert done.exit_code == 2
    assert done.stderr.startswith("invscore: error: the calibration was made with ")
    assert sentence in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (photos / "results").exists()


def test_defaults_that_are_written_out_are_no_other_setting(
    calibrate: Run,
    reconstruct: Run,
    photos: Path,  # noqa: ARG001
) -> None:
    assert calibrate("--out", "c.json", "--op", "deblur").exit_code == 0
    options = ("--noise", "0.1", "--samples", "3", "--calibration", "c.json")
    written = ("--op", "deblur(sigma=1.6)", "--set", "particles=100")
    assert reconstruct("--image", "gray.png", *options, *written).exit_code == 0
    assert reconstruct("--image", "gray.png", *options, "--op", "deblur(sigma=2)").exit_code == 2


def test_a_method_that_chooses_its_steps_keeps_them(
    invscore: Run, prior: str, photos: Path
) -> None:
    given = ("--images", "photos", "--prior", prior, "--op", "deblur", "--noise", "0.1")
    done = invscore("calibrate", *given, "--samples", "3", "--level", "0.5", "--out", "c.json")
    assert done.exit_code == 0, done.output
    assert Calibration.load(photos / "c.json").setting["options"]["steps"] == 20
    options = ("--image", "gray.png", "--op", "deblur", "--noise", "0.1", "--calibration", "c.json")
    for steps, code in (((), 0), (("--steps", "20"), 0), (("--steps", "9"), 2)):
        done = invscore("reconstruct", "--prior", prior, *options, *steps)
        assert done.exit_code == code, done.output


def test_pairs_that_were_measured(calibrate: Run, photos: Path) -> None:
    (photos / "measured").mkdir()
    for file in (photos / "photos").iterdir():
        image = load_image(file)
        noise = torch.randn(image.shape, generator=torch.Generator().manual_seed(1))
        np.save(photos / "measured" / f"{file.stem}.npy", image + 0.1 * noise)
    done = calibrate("--measurements", "measured", "--out", "c.json")
    assert done.exit_code == 0, done.output
    assert len(Calibration.load(photos / "c.json").images) == 4

    np.save(photos / "measured" / "moon.npy", np.zeros((1, 17, 16)))
    done = calibrate("--measurements", "measured", "--out", "c.json")
    assert "must have the operator's shape (1, 16, 16), got (1, 17, 16)" in done.stderr
    np.savez(photos / "measured" / "moon.npz", y=np.zeros((1, 16, 16)))
    done = calibrate("--measurements", "measured", "--out", "c.json")
    assert "must have a name of its own, got 'moon.npy' and 'moon.npz'" in done.stderr
    (photos / "measured" / "moon.npz").unlink()
    (photos / "measured" / "moon.npy").unlink()
    done = calibrate("--measurements", "measured", "--out", "c.json")
    assert "image 'moon.png' has no measurement in 'measured'" in done.stderr


BAD: list[tuple[list[str], str]] = [
    (["--images", "nowhere"], "'nowhere': no such folder"),
    (["--images", "empty"], "no images in 'empty' (looked for .png, .jpg, .jpeg"),
    (["--measurements", "nowhere"], "'nowhere': no such folder"),
    (["--measurements", "photos", "--size", "8"], "--size changes images"),
    (["--level", "0.9"], "level 0.9 needs at least 10 images, got 4"),
    (["--level", "1"], "`level` must lie in (0, 1), got 1"),
    (["--level", "90"], "`level` must lie in (0, 1), got 90"),
    (["--samples", "1"], "`samples` must be at least 2, got 1"),
    (["--seed", "-1"], "`seed` must be a whole number of at least 0, got -1"),
    (["--noise", "-0.1"], "`noise` must be a standard deviation from 0"),
    (["--scale", "big"], "`scale` must be auto or a positive number"),
    (["--method", "magic"], "unknown method 'magic': known are"),
    (["--method", "map"], "`--method` must be one that samples, got 'map'"),
    (["--set", "magic=1"], "has no option 'magic'"),
    (["--op", "foo"], "unknown operator 'foo'"),
    (["--prior", "none-such"], "'none-such' is neither a file nor one of"),
    (["--size", "17"], "`size` must lie in [1, 16]"),
    (["--out", "photos"], "`--out` must be a file, got the folder 'photos'"),
    (["--device", "toaster"], "`device` must be one of"),
]


@pytest.mark.parametrize(("arguments", "sentence"), BAD)
def test_wrong_input(calibrate: Run, photos: Path, arguments: list[str], sentence: str) -> None:
    (photos / "empty").mkdir()
    done = calibrate(*arguments)
    assert done.exit_code == 2
    assert done.stderr.startswith("invscore: error: ")
    assert sentence in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (photos / "calibration.json").exists()


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("missing.json", "calibration 'missing.json': no such file"),
        (
            "gray.png",
            "the calibration must be a file written by 'invscore calibrate', got 'gray.png': "
            "'gray.png' cannot be read: it is no text in UTF-8",
        ),
    ],
)
def test_calibrations_that_are_none(
    reconstruct: Run,
    name: str,
    sentence: str,
) -> None:
    done = reconstruct("--image", "gray.png", "--samples", "3", "--calibration", name)
    assert done.exit_code == 2
    assert sentence in done.stderr


def test_what_is_not_given_is_as_in_the_file(
    calibrate: Run, invscore: Run, prior: str, photos: Path
) -> None:
    given = ("--method", "diffpir", "--set", "zeta=0.4", "--noise", "0.15")
    assert calibrate("--out", "c.json", *given).exit_code == 0
    same = ("--op", "denoise", "--prior", prior, "--image", "gray.png", "--calibration", "c.json")
    done = invscore("reconstruct", *same, "--out", "o")
    assert done.exit_code == 0, done.output
    assert done.stderr.startswith(
        "invscore: as in c.json: method diffpir, samples 3, noise 0.15, steps 3, zeta 0.4\n"
    )
    metrics = json.loads((photos / "o" / "metrics.json").read_text())
    assert (metrics["method"], metrics["samples"], metrics["noise"]) == ("diffpir", 3, 0.15)
    assert (metrics["options"]["steps"], metrics["options"]["zeta"]) == (3, 0.4)
    assert metrics["interval"]["calibrated"]
    for wrong in (("--noise", "0.01"), ("--set", "zeta=0.3"), ("--method", "dps")):
        refused = invscore("reconstruct", *same, *wrong)
        assert refused.exit_code == 2
        assert "error: the calibration was made with " in refused.stderr
