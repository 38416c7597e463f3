"""What a run leaves behind, what it learns, and how it ends where it cannot go on."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from invscore.files.checkpoint import CheckpointError, load_checkpoint, save_checkpoint
from invscore.images import load_image
from invscore.priors import NetworkPrior, load_prior
from invscore.training import record
from invscore.training.config import TrainConfig
from invscore.training.loop import train
from invscore.training.loss import LOSSES
from invscore.training.record import TrainingDiverged, state_file, steps_done


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "log.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def straight(make_config: Any) -> TrainConfig:
    config: TrainConfig = make_config("straight")
    train(config)
    return config


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
    stored, about = load_checkpoint(straight.out / "state.safetensors")
    assert (about["step"], len(about["norms"])) == (6, 6)
    prior = NetworkPrior.load(straight.out / "tiny.safetensors")
    for name, w in prior.network.named_parameters():
        assert torch.equal(w, stored[f"average.0.{name}"].half().float())
    assert prior.metadata["architecture"]["widths"] == [4, 8]
    assert prior.metadata["step"] == 6
    assert {"psnr15", "psnr25", "psnr50"} < set(prior.metadata["validation"])
    assert prior.metadata["shape"] == [1, 16, 16]
    assert len(prior.metadata["data_digest"]) == 64


def test_divergence_keeps_the_last_good_state(
    make_config: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = make_config()
    objective, count = LOSSES["denoising"], 0

    def exploding(*arguments: Any) -> torch.Tensor:
        nonlocal count
        count += 1
        return objective(*arguments) * (float("nan") if count == 4 else 1)

    monkeypatch.setitem(LOSSES, "denoising", exploding)
    with pytest.raises(TrainingDiverged, match=r"^step 3: the loss is nan .* last good state"):
        train(config)
    assert steps_done(config) == 2
    assert all(w.isfinite().all() for w in load_checkpoint(state_file(config))[0].values())


def test_a_useless_denoiser_is_not_saved(make_config: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    config = make_config()
    monkeypatch.setattr(record.Validation, "__call__", lambda *_: {"psnr15": float("nan")})
    with pytest.raises(TrainingDiverged, match="none saved"):
        train(config)
    assert not config.out.exists()


CHANGES: list[tuple[str, dict[str, Any], str]] = [
    ("network", {"widths": (4, 6)}, r"network\.widths is \[4, 6\], and \[4, 8\] in the run that"),
    ("network", {"blocks": 2}, r"network\.blocks is 2, and 1 in"),
    (
        "optimiser",
        {"batch": 4},
        r"optimiser\.batch is 4, and 2 in the run that .*state\.safetensors",
    ),
    ("optimiser", {"ema": (0.9,)}, r"optimiser\.ema is \[0\.9\], and \[0\.999\] in"),
    ("optimiser", {"name": "muon"}, r"optimiser\.name is muon, and adamw in"),
    ("data", {"crop": 8}, r"data\.crop is 8, and 16 in"),
    ("noise", {"log_std": 1.0}, r"noise\.log_std is 1\.0, and 1\.3 in"),
]


def changed(config: TrainConfig, section: str, **changes: Any) -> TrainConfig:
    """``config`` with more steps to do and ``changes`` in one of its sections."""
    longer = config.model_copy(
        update={"optimiser": config.optimiser.model_copy(update={"steps": 8})}
    )
    part = getattr(longer, section).model_copy(update=changes)
    return longer.model_copy(update={section: part})


def test_another_recipe_is_another_run(straight: TrainConfig) -> None:
    for section, changes, message in CHANGES:
        with pytest.raises(CheckpointError, match=message):
            train(changed(straight, section, **changes))
    with pytest.raises(CheckpointError, match="seed is 1, and 0 in"):
        train(changed(straight, "optimiser").model_copy(update={"seed": 1}))
    assert steps_done(straight) == 6


def test_what_may_change_within_a_run(straight: TrainConfig, photos: Path) -> None:
    moved = photos.rename(photos.parent / "moved")
    again = changed(straight, "data", folder=moved)
    again = changed(again, "optimiser", steps=7, decay_fraction=0.2, accumulate=2)
    train(again.model_copy(update={"save_every": 1, "workers": 2, "description": "longer"}))
    assert steps_done(straight) == 7


def test_a_state_of_an_older_version_has_todays_defaults(straight: TrainConfig) -> None:
    def know(edit: Callable[[dict[str, Any]], None]) -> None:
        tensors, metadata = load_checkpoint(state_file(straight))
        edit(metadata["recipe"])
        save_checkpoint(state_file(straight), tensors, metadata)

    know(lambda recipe: recipe["noise"].pop("overstated"))
    with pytest.raises(CheckpointError, match=r"noise\.overstated is 0\.5, and 0\.0 in"):
        train(changed(straight, "noise", overstated=0.5))
    train(changed(straight, "optimiser", steps=7))
    assert steps_done(straight) == 7
    know(lambda recipe: recipe.update(magic=True))
    with pytest.raises(CheckpointError, match="is of another version of invscore"):
        train(changed(straight, "optimiser", steps=8))


def test_a_finished_run_of_another_recipe_is_another_run(
    straight: TrainConfig, photos: Path
) -> None:
    """Even if its data are gone."""
    photos.rename(photos.parent / "gone")
    faster = straight.optimiser.model_copy(update={"learning_rate": 1.0})
    with pytest.raises(CheckpointError, match=r"optimiser\.learning_rate is 1\.0, and 0\.001 in"):
        train(straight.model_copy(update={"optimiser": faster}))
    assert train(straight) == straight.out / "tiny.safetensors"


@pytest.mark.parametrize("step", [None, "six"])
def test_a_state_without_its_step(straight: TrainConfig, step: object) -> None:
    tensors, metadata = load_checkpoint(state_file(straight))
    save_checkpoint(state_file(straight), tensors, metadata | {"step": step})
    with pytest.raises(CheckpointError, match=f"is no state of a run: its step is {step!r}"):
        train(straight)


def test_a_folder_that_cannot_be_written_to(make_config: Any, tmp_path: Path) -> None:
    """Is known before the first step, and before the data are read."""
    (tmp_path / "file").touch()
    for out in ("file", "file/below"):
        config = make_config(out)
        config = config.model_copy(
            update={"data": config.data.model_copy(update={"folder": tmp_path / "none"})}
        )
        with pytest.raises(ValueError, match=r"file' cannot be written to: Not a directory"):
            train(config)


def test_other_data_are_another_run(straight: TrainConfig, photos: Path) -> None:
    (photos / "train" / "two.png").unlink()
    with pytest.raises(CheckpointError, match="the training data are not those of the run that"):
        train(changed(straight, "optimiser"))


def test_a_state_without_a_recipe(straight: TrainConfig) -> None:
    save_checkpoint(state_file(straight), {}, {"step": 3})
    with pytest.raises(
        CheckpointError, match=r"state\.safetensors' is of an older kind: train into"
    ):
        train(straight)


def test_a_picture_of_samples(straight: TrainConfig) -> None:
    files = sorted((straight.out / "samples").iterdir())
    assert [file.name for file in files] == ["step-000003.png", "step-000006.png"]
    sheet = load_image(files[-1])  # 3 images of 16 x 16 pixels, in 2 columns
    assert sheet.shape == (1, 34, 34)
    assert sheet[0, 16:18].min() == sheet[0, :, 16:18].min() == sheet[0, 18:, 18:].min() == 1
    for rows_, columns in ((slice(16), slice(16)), (slice(16), slice(18, 34))):
        assert sheet[0, rows_, columns].std() > 0.001  # it has hardly learned anything
    assert not torch.equal(sheet[0, :16, :16], sheet[0, :16, 18:])


def test_priors_of_several_averages(make_config: Any) -> None:
    config = make_config("several", ema=[0.5, 0.0], steps=3)
    train(config)
    stored, _ = load_checkpoint(state_file(config))
    half, last = (load_prior(config.out / f"tiny{end}.safetensors") for end in ("", "-ema0.0"))
    assert (half.metadata["ema"], last.metadata["ema"]) == (0.5, 0.0)
    for name, w in last.network.named_parameters():
        assert torch.equal(w, stored[f"network.{name}"].half().float())
    assert not torch.equal(half.network.stem.weight, last.network.stem.weight)
    assert half.metadata["validation"] != last.metadata["validation"]


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_parts_of_a_step_add_up(make_config: Any, precision: str) -> None:
    """Accumulated gradients are those of the whole batch."""
    weights, norms = [], []
    for out, parts in (("whole", 1), ("parts", 4)):
        config = make_config(out, batch=8, accumulate=parts, steps=2, learning_rate=1e-3)
        config = config.model_copy(update={"precision": precision})
        train(config)
        weights.append(load_checkpoint(state_file(config))[0])
        norms.append(float(rows(config.out)[0]["gradient_norm"]))
    whole, parts_ = weights
    tolerance = 1e-5 if precision == "fp32" else 1e-3
    for name, w in whole.items():
        if name.startswith("network."):
            torch.testing.assert_close(parts_[name], w, rtol=0, atol=tolerance)
    assert (whole["network.head.bias"] - parts_["network.head.bias"]).abs().max() <= tolerance
    assert whole["network.head.bias"].abs().max() > 5e-4  # how far it has come
    assert norms[1] == pytest.approx(norms[0], rel=1e-3 if precision == "fp32" else 0.02)


def test_uneven_parts(make_config: Any) -> None:
    with pytest.raises(ValueError, match=r"`optimiser\.batch` must be a multiple of 4, .*, got 6"):
        train(make_config(batch=6, accumulate=4))


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
