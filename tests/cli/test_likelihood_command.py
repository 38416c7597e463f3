"""``invscore likelihood`` from end to end, with a tiny untrained prior."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import Result

from invscore.cli.progress import StepBar
from invscore.images import crop_and_shrink, load_image
from invscore.priors import load_prior
from invscore.sampling import dequantise, log_likelihood

Run = Callable[..., Result]


@pytest.fixture
def judge(invscore: Run, prior: str, folder: Path) -> Run:  # noqa: ARG001
    """``judge(*arguments)`` on small images in few steps, unless they say otherwise."""

    def run(*arguments: str) -> Result:
        given = list(arguments)
        for option, value in (("--prior", prior), ("--size", "8"), ("--steps", "3")):
            if option not in given:
                given += [option, value]
        return invscore("likelihood", *given)

    return run


def rows(done: Result) -> list[dict[str, Any]]:
    assert done.exit_code == 0, done.output
    content: list[dict[str, Any]] = json.loads(done.stdout)["rows"]
    return content


def test_images_of_8_bits_are_dequantised(judge: Run, prior: str) -> None:
    image = crop_and_shrink(load_image("gray.png"), 64)
    found = rows(judge("gray.png", "--size", "64", "--probes", "2", "--seed", "3", "--json"))
    expected = log_likelihood(
        load_prior(prior), dequantise(image[None], 3), probes=2, steps=3, rng=3
    )
    assert found[0]["nats"] == pytest.approx(float(expected.nats), rel=1e-4)
    assert found[0]["bits_per_dimension"] == pytest.approx(
        float(expected.bits_per_dimension), rel=1e-4
    )
    assert found[0]["evaluations"] == 19
    assert found[0]["shape"] == [1, 64, 64]


def test_other_images_are_taken_as_they_are(judge: Run, folder: Path, prior: str) -> None:
    values = np.random.default_rng(0).random((8, 8)).astype(np.float32)
    np.save(folder / "a.npy", values)
    found = rows(judge("a.npy", "--exact", "--json"))
    image = load_image(folder / "a.npy")[None]
    expected = log_likelihood(load_prior(prior), image, steps=3)
    assert found[0]["nats"] == pytest.approx(float(expected.nats), rel=1e-4)
    assert found[0]["stderr"] == 0


def test_a_table_of_several_images(judge: Run) -> None:
    done = judge("gray.png", "camera", "--probes", "1")
    assert done.exit_code == 0, done.output
    for part in ("gray.png", "camera", "nats", "bits/dim", "evaluations", "19"):
        assert part in done.stdout


def test_an_image_alone_or_with_others(judge: Run) -> None:
    alone = rows(judge("camera", "--json"))
    assert alone == rows(judge("gray.png", "camera", "--json"))[1:]


def test_progress_goes_over_all_images(judge: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[int, int]] = []
    monkeypatch.setattr(StepBar, "__call__", lambda _, done, total: told.append((done, total)))
    assert judge("gray.png", "camera", "--steps", "2").exit_code == 0
    assert told == [(done, 4) for done in range(1, 5)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["missing.png"], "'missing.png': no such file"),
        (["gray.png", "colour.png"], "takes real images of 1 channels: 'colour.png' is real and"),
        (["gray.png", "--size", "65"], "`size` must lie in [1, 64]"),
        (["gray.png", "--probes", "0"], "`probes` must be a positive number, got 0"),
        (["gray.png", "--probes", "1000000000"], "fewer probes would fit"),
        (["gray.png", "--steps", "0"], "`steps` must be a positive number, got 0"),
        (["gray.png", "--tolerance", "0"], "`tolerance` must be a positive number, got 0.0"),
        (["gray.png", "--seed", "-1"], "`seed` must be a whole number of at least 0, got -1"),
        (["gray.png", "--prior", "none-such"], "'none-such' is neither a file nor one of"),
        (["gray.png", "--device", "toaster"], "`device` must be one of"),
    ],
)
def test_wrong_input_gives_one_sentence(judge: Run, arguments: list[str], message: str) -> None:
    done = judge(*arguments)
    assert done.exit_code == 2, done.output
    assert message in done.stderr
    assert done.stderr.startswith("invscore: error: ")
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""
