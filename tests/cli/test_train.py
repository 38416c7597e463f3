"""``invscore train`` on a terminal and in a pipe."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from typer.testing import Result

from invscore.cli.train import TrainingBar, described
from invscore.priors import load_prior
from invscore.training.loop import Progress

VALIDATION = {"psnr15": 33.456, "psnr50": 28.0, "loss_0.002_0.046": 0.123456, "loss_0.046_20": 0.1}


def shown(*, terminal: bool) -> str:
    """What a bar writes in ten steps of 16 images, half a second each, from step 100 on."""
    console = Console(force_terminal=terminal, width=160, record=True, highlight=False)
    with console.capture() as written, TrainingBar(16, console) as bar:
        for step in range(101, 111):
            validation = VALIDATION if step == 110 else None
            bar(Progress(step, 200, 0.25, 0.5 * (step - 100), validation))
    return written.get()


def test_the_bar_tells_steps_loss_and_speed() -> None:
    text = shown(terminal=True)
    assert "110/200 steps" in text
    assert "loss 0.2500" in text
    assert "32.0 images/s" in text
    assert "left" in text
    assert "step 110: validation 33.46 dB at 15/255, 28.00 dB at 50/255; loss 0.1235 for" in text


def test_a_pipe_hears_nothing() -> None:
    assert shown(terminal=False) == ""


def test_validation_in_words() -> None:
    assert described(VALIDATION).endswith(
        "0.1235 for sigma 0.002 to 0.046, 0.1000 for sigma 0.046 to 20"
    )


CONFIG = """
name: flat
out: run
network: {widths: [4], blocks: 1, embedding: 8}
data: {kind: arrays, path: images.npy}
optimiser: {steps: 1, batch: 1, learning_rate: 0.001}
samples: {count: 0}
"""


def test_from_a_file_to_a_prior(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, invscore: Callable[..., Result]
) -> None:
    monkeypatch.chdir(tmp_path)
    np.save("images.npy", np.random.default_rng(0).random((8, 8, 8)))
    file = Path("flat.yaml")

    def trained(text: str) -> Result:
        file.write_text(text)
        return invscore("train", "flat.yaml", "--device", "cpu")

    done = trained(CONFIG)
    assert done.exit_code == 0, done.output
    assert done.stdout == "run/flat.safetensors\n"
    assert load_prior("run/flat.safetensors").metadata["step"] == 1
    assert "all 1 steps are done" in trained(CONFIG).stderr
    written = {path: path.read_bytes() for path in Path("run").glob("*.*")}
    for old, new, message in (
        ("0.001", "0.002", "optimiser.learning_rate is 0.002, and 0.001 in the run that"),
        ("out: run", "out: flat.yaml", "flat.yaml' cannot be written to: Not a directory"),
        ("name: flat", "name: state", "`name` must have no / and"),
    ):
        done = trained(CONFIG.replace(old, new))
        assert done.exit_code == 2, done.output
        assert message in done.stderr
        assert done.stderr.startswith("invscore: error: ")
        assert done.stderr.count("\n") == 1
    assert {path: path.read_bytes() for path in Path("run").glob("*.*")} == written


@pytest.mark.parametrize("rank", ["0", "1"])
def test_one_process_alone_has_something_to_say(rank: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from invscore.training.distributed import is_main_process

    monkeypatch.setenv("RANK", rank)
    assert is_main_process() == (rank == "0")
