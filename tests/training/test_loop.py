"""A run can be killed at any moment and goes on as if nothing had been."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from invscore.checkpoint import CheckpointError, load_checkpoint
from invscore.priors import NetworkPrior, load_prior
from invscore.training import loop, state
from invscore.training.config import TrainConfig
from invscore.training.loop import Progress, TrainingDiverged, steps_done, train


class Interrupted(Exception):
    pass


def assert_same_run(left: Path, right: Path) -> None:
    """Weights, averages, moments, metadata and logs are equal bit for bit."""
    for file in ("tiny.safetensors", "state.safetensors"):
        (ours, data), (theirs, other) = load_checkpoint(left / file), load_checkpoint(right / file)
        assert ours.keys() == theirs.keys()
        for name in ours:
            assert torch.equal(ours[name], theirs[name]), name
        data.pop("recipe", None)
        other.pop("recipe", None)
        assert data == other
    assert (left / "log.csv").read_text() == (right / "log.csv").read_text()


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "log.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def straight(make_config: Any) -> TrainConfig:
    config: TrainConfig = make_config("straight")
    train(config)
    return config


def test_interrupted_at_any_step_it_is_the_same_run(make_config: Any, straight: Any) -> None:
    config = make_config("broken")

    def stop_at(step: int) -> Any:
        def on_step(progress: Progress) -> None:
            if progress.step == step:
                raise Interrupted

        return on_step

    for step in (1, 2, 3, 4, 5):
        with pytest.raises(Interrupted):
            train(config, on_step=stop_at(step))
        assert steps_done(config) == step - step % 2
    train(config)
    assert_same_run(config.out, straight.out)


@pytest.mark.parametrize("write", range(1, 10))
def test_interrupted_at_any_write_it_is_the_same_run(
    make_config: Any, straight: Any, write: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, replace, count = make_config("broken"), os.replace, 0

    def failing(source: Path, target: Path) -> None:
        nonlocal count
        count += 1
        if count == write:
            raise Interrupted
        replace(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", failing)
        with pytest.raises(Interrupted):
            train(config)
    assert not list(config.out.glob("*partial*"))
    train(config)
    assert_same_run(config.out, straight.out)


KILLED = """
import os, signal, sys
from pathlib import Path
from invscore.training.config import read_config
from invscore.training.loop import train
replace, count = os.replace, 0
def deadly(source, target):
    global count
    count += 1
    if count == 6:
        os.kill(os.getpid(), signal.SIGKILL)
    replace(source, target)
os.replace = deadly
train(read_config(Path(sys.argv[1])))
"""


def test_killed_it_is_the_same_run(make_config: Any, straight: Any, tmp_path: Path) -> None:
    config = make_config("broken")
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(config.model_dump(mode="json")))
    killed = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "tiny.yaml")])
    assert killed.returncode == -9
    assert steps_done(config) == 2
    assert [row["step"] for row in rows(config.out)] == ["2", "4"]
    train(config)
    assert_same_run(config.out, straight.out)


def test_back_from_an_older_state_the_log_has_each_step_once(
    make_config: Any, straight: Any
) -> None:
    config = make_config("older")
    older = config.model_copy(
        update={"optimiser": config.optimiser.model_copy(update={"steps": 4})}
    )
    train(older)
    before = (config.out / "state.safetensors").read_bytes()
    train(config)
    (config.out / "state.safetensors").write_bytes(before)
    train(config)
    assert [int(row["step"]) for row in rows(config.out)] == [2, 4, 6]
    assert [int(row["step"]) for row in rows(straight.out)] == [2, 4, 6]


def test_a_finished_run_is_left_alone(straight: TrainConfig) -> None:
    times = {file: file.stat().st_mtime_ns for file in straight.out.iterdir()}
    assert steps_done(straight) == straight.optimiser.steps
    path = train(straight, on_step=lambda progress: pytest.fail("a step was made"))
    assert path == straight.out / "tiny.safetensors"
    assert {file: file.stat().st_mtime_ns for file in straight.out.iterdir()} == times


def test_a_finished_run_under_another_name_gets_its_prior(straight: TrainConfig) -> None:
    renamed = straight.model_copy(update={"name": "other"})
    path = train(renamed)
    assert path.name == "other.safetensors"
    ours, theirs = load_prior(path), load_prior(straight.out / "tiny.safetensors")
    for w, v in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.equal(w, v)
    assert ours.metadata["validation"] == theirs.metadata["validation"]


def test_the_log_tells_rate_norm_and_skipped_steps(straight: TrainConfig) -> None:
    first, *_, last = rows(straight.out)
    assert float(first["learning_rate"]) == straight.optimiser.learning_rate
    assert float(last["learning_rate"]) == pytest.approx(1e-3 / 1.8)  # one step before the end
    for row in (first, last):
        assert float(row["loss"]) > 0
        assert float(row["gradient_norm"]) > 0
        assert row["skipped"] == "0"
        assert float(row["psnr15"]) > float(row["psnr50"])


def test_the_prior_is_the_average_of_the_weights(straight: TrainConfig) -> None:
    stored, _ = load_checkpoint(straight.out / "state.safetensors")
    prior = NetworkPrior.load(straight.out / "tiny.safetensors")
    for name, w in prior.network.named_parameters():
        assert torch.equal(w, stored[f"average.{name}"].half().float())
    assert prior.metadata["architecture"]["widths"] == [4, 8]
    assert prior.metadata["step"] == 6
    assert set(prior.metadata["validation"]) == {"psnr15", "psnr25", "psnr50"}
    assert len(prior.metadata["data_digest"]) == 64


def test_divergence_keeps_the_last_good_state(
    make_config: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = make_config()
    objective, count = loop.denoising_score_matching, 0

    def exploding(*arguments: Any) -> torch.Tensor:
        nonlocal count
        count += 1
        return objective(*arguments) * (float("nan") if count == 4 else 1)

    monkeypatch.setattr(loop, "denoising_score_matching", exploding)
    with pytest.raises(TrainingDiverged, match=r"^step 3: the loss is nan .* last good state"):
        train(config)
    assert steps_done(config) == 2
    assert all(w.isfinite().all() for w in load_checkpoint(config.out / loop.STATE)[0].values())


def test_a_useless_denoiser_is_not_saved(make_config: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    config = make_config()
    monkeypatch.setattr(loop, "validate", lambda prior, photos: {"psnr15": float("nan")})
    with pytest.raises(TrainingDiverged, match="none saved"):
        train(config)
    assert not config.out.exists()


def test_state_of_another_network(straight: TrainConfig) -> None:
    for options in ({"widths": (4, 6)}, {"widths": (4, 8, 8)}, {"blocks": 2}, {"widths": (4,)}):
        network = straight.network.model_copy(update=options)
        optimiser = straight.optimiser.model_copy(update={"steps": 8})
        with pytest.raises(CheckpointError, match=r"state\.safetensors' is the state of another"):
            train(straight.model_copy(update={"network": network, "optimiser": optimiser}))


def test_the_callers_random_numbers_are_left_alone(make_config: Any) -> None:
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    train(make_config())
    assert torch.equal(torch.rand(1), expected)


def test_training_learns(make_config: Any) -> None:
    config = make_config(steps=60, batch=8, learning_rate=3e-3)
    losses: list[float] = []
    path = train(config, on_step=lambda progress: losses.append(progress.loss))
    assert sum(losses[-15:]) < 0.8 * sum(losses[:15])
    assert load_prior(path).metadata["validation"]["psnr50"] > 16  # noisy: 14.2 dB


class Constant(torch.nn.Module):
    """The gradient of ``forward(g)`` in the weight is g."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def forward(self, g: float) -> torch.Tensor:
        return g * self.weight.sum()


def push(run: state.TrainingState, g: float) -> tuple[float, bool]:
    run.network(g).backward()
    return run.update(0.1, clip=1.0, skip_above=20.0)


def test_an_outlier_of_the_gradient_is_skipped() -> None:
    run = state.TrainingState(Constant(), learning_rate=0.1, weight_decay=0.0, history=8)
    assert push(run, 100.0) == (100.0, True)  # nothing to compare with yet
    for _ in range(8):
        assert push(run, 0.5)[1]
    before = run.network.weight.item()
    assert push(run, 10.5) == (10.5, False)
    assert run.network.weight.item() == before
    assert push(run, 9.5) == (9.5, True)
    assert run.network.weight.item() != before
    for _ in range(2):
        assert not push(run, 50.0)[1]
    assert push(run, 50.0)[1], "a lasting change of scale is taken for usual"
    assert push(run, float("inf"))[1] is False


def test_the_norms_survive_a_restart(tmp_path: Path) -> None:
    run = state.TrainingState(Constant(), learning_rate=0.1, weight_decay=0.0)
    for norm in range(1, 140):
        push(run, float(norm))
    run.save(tmp_path / "s.safetensors")
    again = state.TrainingState(Constant(), learning_rate=0.1, weight_decay=0.0)
    again.restore(tmp_path / "s.safetensors")
    assert again.norms == run.norms == [float(norm) for norm in range(12, 140)]
