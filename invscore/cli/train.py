"""``invscore train``: a prior from a folder of images."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from invscore.cli.arguments import Debug, Device
from invscore.cli.errors import guarded

if TYPE_CHECKING:
    from invscore.training.loop import Progress


@guarded
def train(
    config: Annotated[Path, typer.Argument(metavar="CONFIG.yaml", help="What to train, on what.")],
    device: Device = "auto",
    debug: Debug = False,  # noqa: ARG001
) -> None:
    """Train a prior, or go on where an interrupted training stopped."""
    from invscore.training.config import read_config

    recipe = read_config(config)

    from invscore.cli.devices import choose_device
    from invscore.training.loop import train as run
    from invscore.training.record import steps_done

    if steps_done(recipe) >= (steps := recipe.optimiser.steps):
        typer.echo(f"all {steps} steps are done: raise optimiser.steps to go on", err=True)
    with TrainingBar() as bar:
        prior = run(recipe, device=choose_device(device), on_step=bar)
    typer.echo(f"{prior}")


class TrainingBar:
    """Loss, speed, time left and the PSNR of the last validation, on a terminal only."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        self._console = Console(stderr=True, highlight=False)
        self._bar = Progress(
            BarColumn(),
            TextColumn("{task.completed}/{task.total} steps"),
            TextColumn("loss {task.fields[loss]:.4f}"),
            TextColumn("{task.fields[speed]:.1f} steps/s"),
            TimeRemainingColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._task = self._bar.add_task("", total=None, loss=float("nan"), speed=0.0)
        self._start: int | None = None
        self._loss = 0.0

    def __enter__(self) -> TrainingBar:
        self._bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._bar.stop()

    def __call__(self, progress: Progress) -> None:
        if self._start is None:  # a resumed run does not begin at 0
            self._start, self._loss = progress.step - 1, progress.loss
        self._loss += 0.02 * (progress.loss - self._loss)  # the loss of one batch is noisy
        self._bar.update(
            self._task,
            completed=progress.step,
            total=progress.steps,
            loss=self._loss,
            speed=(progress.step - self._start) / max(progress.seconds, 1e-9),
        )
        if progress.validation and self._console.is_terminal:
            levels = ", ".join(
                f"{value:.2f} dB at noise {name.removeprefix('psnr')}/255"
                for name, value in progress.validation.items()
            )
            self._bar.print(f"step {progress.step}: validation {levels}")
