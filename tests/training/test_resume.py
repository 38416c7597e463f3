"""A run can be killed at any moment and goes on as if nothing had been."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from invscore.files.checkpoint import load_checkpoint
from invscore.training.config import TrainConfig
from invscore.training.loop import Progress, train
from invscore.training.record import steps_done


class Interrupted(Exception):
    pass


def assert_same_run(left: Path, right: Path) -> None:
    """Weights, averages, moments, metadata and logs are equal bit for bit."""
    names = sorted(file.name for file in left.glob("*.safetensors"))
    assert names == sorted(file.name for file in right.glob("*.safetensors")) != []
    for file in names:
        (ours, data), (theirs, other) = load_checkpoint(left / file), load_checkpoint(right / file)
        assert ours.keys() == theirs.keys()
        for name in ours:
            assert torch.equal(ours[name], theirs[name]), name
        data.pop("recipe", None)
        other.pop("recipe", None)
        assert data == other
    assert (left / "log.csv").read_text() == (right / "log.csv").read_text()
    ours_, theirs_ = (sorted((folder / "samples").iterdir()) for folder in (left, right))
    assert [file.name for file in ours_] == [file.name for file in theirs_] != []
    assert [file.read_bytes() for file in ours_] == [file.read_bytes() for file in theirs_]


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


@pytest.mark.parametrize("write", range(1, 12))
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


KILLED_NOW_AND_THEN = """
import os, random, signal, sys, time
from pathlib import Path
import torch._dynamo  # imported once, before processes are forked
from invscore.training.config import read_config
from invscore.training.loop import train

def start(file):
    child = os.fork()
    if not child:
        train(read_config(Path(file)))
        os._exit(0)
    return child

straight, broken = sys.argv[1:]
began = time.monotonic()
os.waitpid(start(straight), 0)
whole, moments, kills = time.monotonic() - began, random.Random(0), 0
while True:
    child = start(broken)
    time.sleep(moments.uniform(0.1, 0.5) * whole)
    done, status = os.waitpid(child, os.WNOHANG)
    if done:
        assert status == 0
        break
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    kills += 1
print(kills)
"""


def test_killed_at_random_moments_it_is_the_same_run(make_config: Any, tmp_path: Path) -> None:
    files = []
    for out in ("straight", "broken"):
        config = make_config(
            out, steps=10, accumulate=2, ema=[0.9, 0.99], name="muon", schedule="cosine"
        )
        files.append(tmp_path / f"{out}.yaml")
        files[-1].write_text(yaml.safe_dump(config.model_dump(mode="json")))
    command = [sys.executable, "-c", KILLED_NOW_AND_THEN, *map(str, files)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= 2, "it was hardly ever killed"
    assert_same_run(tmp_path / "broken", tmp_path / "straight")
    assert not list((tmp_path / "broken").glob(".*.partial.*"))
