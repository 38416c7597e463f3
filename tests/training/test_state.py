"""The state of a run: which steps it makes, and that it survives a restart as it is."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from invscore.files.checkpoint import CheckpointError, load_checkpoint, save_checkpoint
from invscore.training import state
from invscore.training.optimiser import make_optimisers


class Constant(torch.nn.Module):
    """The gradient of ``forward(g)`` in the weight is g."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def forward(self, g: float) -> torch.Tensor:
        return g * self.weight.sum()


def make(history: int = 128) -> state.TrainingState:
    network = Constant()
    optimisers = make_optimisers(network, "adamw", learning_rate=0.1, weight_decay=0.0)
    return state.TrainingState(network, optimisers, history=history)


def push(run: state.TrainingState, g: float) -> tuple[float, bool]:
    run.network(g).backward()
    return run.update(0.1, clip=1.0, skip_above=20.0)


def test_an_outlier_of_the_gradient_is_skipped() -> None:
    run = make(history=8)
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
    run = make()
    for norm in range(1, 140):
        push(run, float(norm))
    run.save(tmp_path / "s.safetensors", {})
    again = make()
    again.restore(tmp_path / "s.safetensors")
    assert again.norms == run.norms == [float(norm) for norm in range(12, 140)]


@pytest.mark.parametrize("norms", [None, 3])
def test_a_state_without_its_norms_is_told(tmp_path: Path, norms: object) -> None:
    file = tmp_path / "s.safetensors"
    make().save(file, {})
    tensors, metadata = load_checkpoint(file)
    save_checkpoint(file, tensors, {**metadata, "norms": norms})
    with pytest.raises(CheckpointError, match="is the state of another network"):
        make().restore(file)
