"""Files of a run in its folder: priors, samples, the log and the state to go on from."""

from __future__ import annotations

import math
from contextlib import suppress
from pathlib import Path

from invscore.files.checkpoint import CheckpointError, read_metadata
from invscore.priors.network import NetworkPrior
from invscore.sampling import NotFiniteError
from invscore.training.config import TrainConfig
from invscore.training.data import Source
from invscore.training.log import Tally, write_row
from invscore.training.resume_check import check_same_config, config_as_json
from invscore.training.samples import save_samples
from invscore.training.state import TrainingState
from invscore.training.tensorboard import Board
from invscore.training.validation import Validation


class TrainingDiverged(RuntimeError):
    """The weights or their gradient are no longer finite; the last saved state is kept."""


def prior_files(config: TrainConfig) -> list[Path]:
    """One for each decay of the averages: NAME.safetensors, NAME-ema0.9999.safetensors, ..."""
    _, *others = config.optimiser.ema
    names = [config.name, *(f"{config.name}-ema{decay}" for decay in others)]
    return [config.out / f"{name}.safetensors" for name in names]


def state_file(config: TrainConfig) -> Path:
    return config.out / "state.safetensors"


def steps_done(config: TrainConfig) -> int:
    """How many steps of the run that ``config`` describes have been made and saved.

    Raises ``CheckpointError`` where the saved state is damaged or that of another configuration.
    """
    file = state_file(config)
    if not file.exists():
        return 0
    check_same_config(file, config)
    step = read_metadata(file).get("step")
    if not isinstance(step, int):
        raise CheckpointError(f"{str(file)!r} is no state of a run: its step is {step!r}")
    return step


class RunRecord:
    """Writes to ``config.out``, each file as a whole or not at all.

    ``prior`` is one to put averages of the weights into, besides the one that learns: it is neither
    compiled nor given augmentation labels.
    """

    def __init__(
        self,
        config: TrainConfig,
        prior: NetworkPrior,
        run: TrainingState,
        *,
        digest: str,
        validation: Source,
    ) -> None:
        self.config = config
        self.run = run
        self.shape = validation.shape
        self.validation = Validation(config, validation)
        self.board = Board(config.out / "tensorboard", run.step)
        self.about = {"recipe": config_as_json(config), "data_digest": digest}
        self.averaged = prior.eval()
        self.averaged.metadata |= {**self.about, "shape": list(self.shape)}

    def clear_away(self) -> None:
        """Remove what a process that was killed has not finished writing."""
        for partial in self.config.out.glob(".*.partial.*"):
            partial.unlink()

    def save(self, tally: Tally, learning_rate: float) -> dict[str, float]:
        """Save all that there is after the present step; the validation of the first prior."""
        validation = self.publish()
        row = {"step": self.run.step, "learning_rate": learning_rate, **tally.summary()}
        write_row(self.config.out / "log.csv", {**row, **validation})
        self.board.write({**row, **validation})
        # The state comes last: what a kill leaves undone is done again.
        self.run.save(state_file(self.config), self.about)
        return validation

    def publish(self) -> dict[str, float]:
        """Save the priors, one for each average; the validation of the first."""
        results = []
        for average, path in zip(self.run.averages, prior_files(self.config), strict=True):
            average.give_to(self.averaged.network)
            result = self.validation(self.averaged)
            if not all(map(math.isfinite, result.values())):
                raise self.diverged(f"validation gives {result}")
            self.averaged.metadata |= {
                "step": self.run.step,
                "ema": average.decay,
                "validation": result,
            }
            self.averaged.save(path)
            results.append(result)
        return results[0]

    def samples(self) -> None:
        """Draw from the first prior, at the present step. A picture is no reason to end a run."""
        wanted = self.config.samples
        self.run.averages[0].give_to(self.averaged.network)
        path = self.config.out / "samples" / f"step-{self.run.step:06d}.png"
        with suppress(NotFiniteError):
            save_samples(path, self.averaged, self.shape, count=wanted.count, steps=wanted.steps)

    def diverged(self, reason: str) -> TrainingDiverged:
        file = state_file(self.config)
        kept = f"{str(file)!r} holds the last good state" if file.exists() else "none saved"
        return TrainingDiverged(
            f"step {self.run.step}: {reason}; try a lower learning_rate ({kept})"
        )
