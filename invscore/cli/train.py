"""``invscore train``: a prior from images of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from invscore.cli.arguments import Debug, Device
from invscore.cli.errors import guarded, is_quiet
from invscore.cli.progress import StepBar

if TYPE_CHECKING:
    from rich.console import Console

    from invscore.training.loop import Progress


@guarded
def train(
    config: Annotated[Path, typer.Argument(metavar="CONFIG.yaml", help="What to train, on what.")],
    device: Device = "auto",
    debug: Debug = False,  # noqa: ARG001
) -> None:
    """Train a prior, or go on where an interrupted training stopped.

    Several processes, on one machine or more, share the work: accelerate launch -m invscore train.
    """
    from invscore.training.config import read_config

    recipe = read_config(config)

    from invscore.hardware.devices import choose_device
    from invscore.training.distributed import is_main_process
    from invscore.training.loop import train as run
    from invscore.training.record import steps_done

    if steps_done(recipe) >= (steps := recipe.optimiser.steps):
        typer.echo(f"all {steps} steps are done: raise optimiser.steps to go on", err=True)
    with TrainingBar(recipe.optimiser.batch) as bar:
        prior = run(recipe, device=choose_device(device), on_step=bar)
    if is_main_process():
        typer.echo(f"{prior}")


class TrainingBar:
    """Loss, speed, times and the last validation, on a terminal only.

    Steps have ``batch`` images. The bar appears with the first step, which processes that do not
    report never make known.
    """

    def __init__(self, batch: int, console: Console | None = None) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        self._console = console or Console(stderr=True, highlight=False)
        self._batch = batch
        self._bar = Progress(
            BarColumn(),
            TextColumn("{task.completed}/{task.total} steps"),
            TextColumn("loss {task.fields[loss]:.4f}"),
            TextColumn("{task.fields[speed]:.1f} images/s"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=self._console,
            disable=not self._console.is_terminal or is_quiet(),
        )
        self._task = self._bar.add_task("", total=None, loss=float("nan"), speed=0.0)
        self._lines = None if self._console.is_terminal else StepBar("training", self._console)
        self._start: int | None = None
        self._loss = 0.0

    def __enter__(self) -> TrainingBar:
        return self

    def __exit__(self, *error: object) -> None:
        self._bar.stop()

    def __call__(self, progress: Progress) -> None:
        if self._start is None:  # a resumed run does not begin at 0
            self._start, self._loss = progress.step - 1, progress.loss
            self._bar.start()
        if self._lines is not None:
            self._lines(progress.step - self._start, progress.steps - self._start)
        self._loss += 0.02 * (progress.loss - self._loss)  # the loss of one batch is noisy
        self._bar.update(
            self._task,
            completed=progress.step,
            total=progress.steps,
            loss=self._loss,
            speed=self._batch * (progress.step - self._start) / max(progress.seconds, 1e-9),
        )
        if progress.validation and self._console.is_terminal:
            self._bar.print(f"step {progress.step}: {described(progress.validation)}")


def described(validation: dict[str, float]) -> str:
    """A line: the PSNR at each noise level, and the loss in each band of levels."""
    psnr, loss = [], []
    for name, value in validation.items():
        if name.startswith("psnr"):
            psnr.append(f"{value:.2f} dB at {name.removeprefix('psnr')}/255")
        else:
            low, high = name.removeprefix("loss_").split("_")
            loss.append(f"{value:.4f} for sigma {low} to {high}")
    return f"validation {', '.join(psnr)}; loss {', '.join(loss)}"
