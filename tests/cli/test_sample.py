"""``invscore sample`` from end to end, with a tiny untrained prior."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import Result

from invscore.priors import load_prior
from invscore.sampling import SAMPLERS, sample

Run = Callable[..., Result]


@pytest.fixture
def draw(invscore: Run, prior: str, folder: Path) -> Run:  # noqa: ARG001
    """``draw(*arguments)`` with small images and few steps, unless they say otherwise."""

    def run(*arguments: str) -> Result:
        given = list(arguments)
        for option, value in (
            ("--prior", prior),
            ("--out", "o"),
            ("--n", "3"),
            ("--size", "8"),
            ("--steps", "2"),
        ):
            if option not in given:
                given += [option, value]
        return invscore("sample", *given)

    return run


def test_a_folder_of_samples(draw: Run, folder: Path, prior: str) -> None:
    done = draw("--n", "5", "--seed", "4", "--batch-size", "2")
    assert done.exit_code == 0, done.output
    out = folder / "o"
    pictures = [f"sample-00{k}.png" for k in range(5)]
    assert sorted(file.name for file in out.iterdir()) == [
        "grid.png",
        "options.json",
        *pictures,
        "samples.npy",
    ]
    images = np.load(out / "samples.npy")
    expected = sample(load_prior(prior), (1, 8, 8), n=5, seed=4, steps=2)
    np.testing.assert_allclose(images, expected.samples.numpy(), atol=1e-4)
    drawn = np.asarray(Image.open(out / pictures[3]), dtype=float)
    np.testing.assert_allclose(drawn, 255 * images[3, 0].clip(0, 1), atol=0.51)
    grid = np.asarray(Image.open(out / "grid.png"))
    assert grid.shape == (18, 28)
    np.testing.assert_array_equal(grid[10:, :8], drawn)  # the fourth of three columns
    assert (grid[:, 8:10] == 255).all()
    assert (grid[10:, 20:] == 255).all()

    options = json.loads((out / "options.json").read_text())
    assert options["sampler"] == "heun"
    assert options["options"] == {"steps": 2}
    assert (options["n"], options["seed"], options["evaluations"]) == (5, 4, 3)
    assert "5 images by heun, 3 denoiser evaluations each" in done.stdout


def test_an_earlier_album_goes_and_json_is_printed(draw: Run, folder: Path) -> None:
    assert draw("--n", "3").exit_code == 0
    done = draw("--n", "1", "--sampler", "ddim", "--set", "eta=0.5", "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout) == json.loads((folder / "o" / "options.json").read_text())
    assert json.loads(done.stdout)["options"] == {"steps": 2, "eta": 0.5}
    assert [file.name for file in sorted((folder / "o").glob("sample*.png"))] == ["sample-000.png"]


def test_help_names_every_sampler(invscore: Run) -> None:
    shown = "".join(invscore("sample", "--help").stdout.split()).replace("│", "")
    assert all(name in shown for name in SAMPLERS)


def test_a_guide(draw: Run, folder: Path, prior: str) -> None:
    guide = load_prior(prior)
    with torch.no_grad():
        for weights in guide.parameters():
            weights.mul_(0.5)
    guide.save(folder / "weaker.safetensors")
    for given, weight in ([], 2.0), (["--guidance", "1.5"], 1.5):
        done = draw("--guide", "weaker.safetensors", *given, "--json")
        assert done.exit_code == 0, done.output
        options = json.loads(done.stdout)
        assert (options["guide"], options["guidance"]) == ("weaker.safetensors", weight)
        assert options["evaluations"] == 6
        weaker = load_prior("weaker.safetensors")
        expected = sample(load_prior(prior), (1, 8, 8), n=3, steps=2, guide=weaker, guidance=weight)
        images = np.load(folder / "o" / "samples.npy")
        np.testing.assert_allclose(images, expected.samples.numpy(), atol=1e-4)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--guidance", "2"], "guidance needs --guide"),
        (["--guide", "none-such"], "'none-such' is neither a file nor one of"),
        (["--guide", "digits", "--guidance", "0.5"], "`guidance` must be at least 1, got 0.5"),
        (
            ["--guide", "photos"],
            "takes real images of 1 channels, got one that takes real images of 3",
        ),
        (["--n", "0"], "`n` must be at least 1, got 0"),
        (["--size", "0"], "`size` must be at least 1, got 0"),
        (["--steps", "0"], "`steps` must lie in [1, 1000000], got 0"),
        (["--batch-size", "0"], "`batch_size` must be at least 1"),
        (["--seed", "-1"], "`seed` must be at least 0, got -1"),
        (["--sampler", "magic"], "unknown sampler 'magic': known are adaptive, ddim"),
        (["--sampler", "adaptive"], "sampler 'adaptive' has no option 'steps'"),
        (["--sampler", "ddim", "--set", "eta=much"], "sampler 'ddim': `eta` must be a number"),
        (["--sampler", "ddim", "--set", "eta=1.5"], "`eta` must lie in [0, 1], got 1.5"),
        (["--set", "eta=1"], "sampler 'heun' has no option 'eta'"),
        (["--set", "steps=3"], "option steps is given twice"),
        (["--prior", "none-such"], "'none-such' is neither a file nor one of"),
        (["--device", "toaster"], "`device` must be one of"),
        (["--out", "gray.png"], "'gray.png' is a file"),
        (["--out", "full"], "`--out` must be empty or hold results of invscore"),
    ],
)
def test_wrong_input_gives_one_sentence(
    draw: Run, folder: Path, arguments: list[str], message: str
) -> None:
    (folder / "full").mkdir()
    (folder / "full" / "thesis.tex").write_text("hello")
    before = sorted(folder.rglob("*"))
    done = draw(*arguments)
    assert done.exit_code == 2, done.output
    assert message in done.stderr
    assert done.stderr.startswith("invscore: error: ")
    assert done.stderr.count("\n") == 1
    assert "unexpected" not in done.stderr
    assert sorted(folder.rglob("*")) == before


def test_what_goes_wrong_while_writing_leaves_nothing(
    draw: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "save", fail)
    assert draw().exit_code == 2
    assert not (folder / "o").exists()


def test_images_are_as_large_as_those_of_the_training(
    invscore: Run, folder: Path, prior: str
) -> None:
    trained = load_prior(prior)
    trained.metadata["shape"] = [1, 6, 10]
    trained.save(folder / "trained.safetensors")
    for name, shape in (("trained.safetensors", (1, 1, 6, 10)), (prior, (1, 1, 64, 64))):
        done = invscore("sample", "--prior", name, "--out", "o", "--n", "1", "--steps", "1")
        assert done.exit_code == 0, done.output
        assert np.load("o/samples.npy").shape == shape
