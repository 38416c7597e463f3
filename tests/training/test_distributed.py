"""Processes that train together make the run of one process with all their images."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from invscore.files.checkpoint import load_checkpoint
from invscore.training.batches import Batch, Batches, prefetched
from invscore.training.data import PhotoCrops
from invscore.training.distributed import ProcessGroup, join_process_group
from invscore.training.loop import train
from invscore.training.record import state_file


def test_two_processes_make_the_run_of_one(make_config: Any, tmp_path: Any) -> None:
    pytest.importorskip("accelerate")
    runs = {}
    for out, parts in (("alone", 1), ("together", 2)):
        config = make_config(out, batch=8, accumulate=parts, steps=3, name="muon", ema=[0.5, 0.9])
        runs[out] = config.model_copy(update={"precision": "fp32"})
    train(runs["alone"])
    file = tmp_path / "together.yaml"
    file.write_text(yaml.safe_dump(runs["together"].model_dump(mode="json")))
    # Launched as for GPUs: where there are none, processes talk through gloo.
    launch = ["-m", "accelerate.commands.accelerate_cli", "launch", "--multi_gpu"]
    launch += ["--num_processes", "2", "--num_machines", "1", "--mixed_precision", "no"]
    launch += ["--dynamo_backend", "no", "--main_process_port", "0"]
    command = [*launch, "-m", "invscore", "train", str(file), "--device", "cpu"]
    done = subprocess.run([sys.executable, *command], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{runs['together'].out / 'tiny.safetensors'}\n", "one of them alone"

    (ours, _), (theirs, _) = (load_checkpoint(state_file(config)) for config in runs.values())
    assert ours.keys() == theirs.keys()
    for name in ours:
        if name.startswith(("network", "average")):
            torch.testing.assert_close(theirs[name], ours[name], rtol=0, atol=2e-4)
    moved = [abs(w).max() for name, w in ours.items() if name == "network.head.bias"]
    assert moved[0] > 5e-4
    logs = [(config.out / "log.csv").read_text().splitlines() for config in runs.values()]
    for one, two in zip(*logs, strict=True):
        if one != two:
            numbers = [[float(n) for n in row.split(",")] for row in (one, two)]
            np.testing.assert_allclose(*numbers, rtol=2e-3)


def shares(config: Any, processes: int) -> list[list[Batch]]:
    data = config.data
    source = PhotoCrops(
        data.folder / "train", crop=data.crop, longest_side=data.longest_side, channels=1
    )
    return [
        Batches(config, source, rank=rank, processes=processes)(step=5) for rank in range(processes)
    ]


@pytest.mark.parametrize(("processes", "parts"), [(1, 4), (2, 1), (2, 2), (4, 1), (4, 2)])
def test_images_do_not_depend_on_how_they_are_shared(
    make_config: Any, processes: int, parts: int
) -> None:
    ((whole,),) = shares(make_config(batch=8), 1)
    dealt = shares(make_config(batch=8, accumulate=parts), processes)
    assert all(len(batches) == parts for batches in dealt)
    assert all(batch.reference is None for batches in dealt for batch in batches)
    for name in ("clean", "sigma", "noise"):
        parts_ = [getattr(batch, name) for batches in dealt for batch in batches]
        assert torch.equal(torch.cat(parts_), getattr(whole, name))
    assert len({image.numpy().tobytes() for image in whole.clean}) == 8
    assert len(set(whole.sigma.tolist())) == 8


def test_all_images_of_a_step_are_the_reference_of_stable_targets(make_config: Any) -> None:
    stable = {"objective": "stable"}
    ((whole,),) = shares(make_config(batch=8).model_copy(update=stable), 1)
    assert torch.equal(whole.reference, whole.clean)
    dealt = shares(make_config(batch=8, accumulate=2).model_copy(update=stable), 2)
    assert all(torch.equal(b.reference, whole.clean) for batches in dealt for b in batches)


def test_further_images_of_reference_are_the_same_for_all(make_config: Any) -> None:
    stable = {"objective": "stable", "reference": 5}
    ((whole,),) = shares(make_config(batch=8).model_copy(update=stable), 1)
    assert torch.equal(whole.reference[:8], whole.clean)
    assert len({image.numpy().tobytes() for image in whole.reference}) == 13
    dealt = shares(make_config(batch=8, accumulate=2).model_copy(update=stable), 2)
    assert all(torch.equal(b.reference, whole.reference) for batches in dealt for b in batches)


def test_the_reference_is_never_augmented(make_config: Any) -> None:
    config = make_config(batch=8).model_copy(update={"objective": "stable"})
    ((plain,),) = shares(config, 1)
    augment = config.augment.model_copy(update={"share": 0.5})
    ((some,),) = shares(config.model_copy(update={"augment": augment}), 1)
    assert torch.equal(some.reference, plain.clean)
    same = torch.tensor([torch.equal(a, b) for a, b in zip(some.clean, plain.clean, strict=True)])
    assert torch.equal(~same, some.augmentation.any(dim=1))
    assert 0 < same.sum() < 8


def test_a_batch_that_cannot_be_shared(make_config: Any) -> None:
    with pytest.raises(
        ValueError, match=r"batch` must be a multiple of 4, for 4 processes, .* got 6"
    ):
        shares(make_config(batch=6), 4)


def test_the_noise_follows_its_law(make_config: Any) -> None:
    config = make_config(batch=1000)
    law = config.noise.model_copy(update={"log_mean": -1.0, "log_std": 0.5})
    ((batch,),) = shares(config.model_copy(update={"noise": law}), 1)
    logs = batch.sigma.log()
    assert logs.mean().item() == pytest.approx(-1, abs=5 * 0.5 / 1000**0.5)
    assert logs.std().item() == pytest.approx(0.5, rel=5 / 2000**0.5)
    assert batch.noise.std().item() == pytest.approx(1, abs=0.01)


def test_steps_come_in_order_whatever_draws_them() -> None:
    assert list(prefetched(lambda step: step**2, range(3, 9), workers=3)) == [
        9, 16, 25, 36, 49, 64,
    ]  # fmt: skip


def test_an_error_in_the_data_is_the_callers() -> None:
    def fails(step: int) -> int:
        if step == 2:
            raise ValueError("no such image")
        return step

    steps = prefetched(fails, range(5), workers=1)
    assert (next(steps), next(steps)) == (0, 1)
    with pytest.raises(ValueError, match="no such image"):
        next(steps)


def test_machines_that_see_different_states(monkeypatch: pytest.MonkeyPatch) -> None:
    group = ProcessGroup(torch.device("cpu"))
    group.check_agreement(7, "the state")
    monkeypatch.setattr(ProcessGroup, "average", lambda self, tensors: tensors[0].div_(2))
    with pytest.raises(
        ValueError, match="the state must be the same for all processes: use a folder"
    ):
        group.check_agreement(7, "the state")


def test_without_accelerate(monkeypatch: pytest.MonkeyPatch) -> None:
    assert join_process_group("cpu").size == 1
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setitem(sys.modules, "accelerate", None)
    with pytest.raises(ValueError, match="several processes need the package accelerate: pip"):
        join_process_group("cpu")
