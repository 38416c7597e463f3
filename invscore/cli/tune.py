"""``invscore tune``: validation images in; the options that suit each method and task out."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from invscore.cli.arguments import (
    BenchConfig,
    BenchMethods,
    BenchTasks,
    ClusterOf,
    Crops,
    Debug,
    Device,
    ValidationImages,
    Workers,
)
from invscore.cli.errors import guarded, note
from invscore.cli.progress import StepBar
from invscore.cli.tables import as_options, print_table
from invscore.options.literals import split

if TYPE_CHECKING:
    from invscore.tune.record import Row


@guarded
def tune(
    config: BenchConfig,
    images: ValidationImages,
    methods: BenchMethods = None,
    tasks: BenchTasks = None,
    crops: Crops = None,
    size: Annotated[
        int, typer.Option(metavar="N", min=1, help="Pixels a side of the validation images.")
    ] = 128,
    samples: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            help="Of each image, whose mean is scored; default as the configuration says.",
        ),
    ] = None,
    trials: Annotated[
        int, typer.Option(metavar="N", min=1, help="Of each method on each task.")
    ] = 30,
    seed: Annotated[
        int, typer.Option(metavar="N", min=0, help="Of crops, noise, samples and search.")
    ] = 0,
    out: Annotated[
        Path,
        typer.Option(
            metavar="FILE.yaml",
            help="The options that were found; trials are in FILE.journal beside it, from which "
            "the same command, or one with more trials, goes on.",
        ),
    ] = Path("tuned.yaml"),
    workers: Workers = 1,
    cluster: ClusterOf = None,
    device: Device = "auto",
    debug: Debug = False,  # noqa: ARG001
) -> None:
    """Find the options that give the highest mean PSNR on validation images.

    Each method on each task: its defaults first, then what a tree of Parzen estimators suggests;
    trials that fall behind end early. Interrupt it whenever you like: what is found is kept. The
    images of a trial are shared by workers, whose number changes nothing in what is found.
    """
    from invscore.bench.imaging.config import read_imaging_config
    from invscore.bench.imaging.plan import selected
    from invscore.cli.devices import device_here
    from invscore.engine import open_engine
    from invscore.files import check_writable
    from invscore.priors import load_prior
    from invscore.tune.record import Row, write_record
    from invscore.tune.space import SPACES, get_space
    from invscore.tune.study import best, open_study, search
    from invscore.tune.tuning_problem import tuning_problems
    from invscore.tune.validation import require_kind, validation_images

    if out.is_dir():
        raise ValueError(f"`--out` must be a file, got the folder {str(out)!r}")
    check_writable(out.parent)
    chosen = selected(
        read_imaging_config(config),
        methods=split(methods) if methods else None,
        tasks=split(tasks) if tasks else None,
    ).model_copy(update={"seed": seed})
    # Of all methods, those of which something can be tuned; one that is asked for must be.
    tunable = [method for method in chosen.methods if method.name in SPACES]
    wanted = chosen.methods if methods is not None or not tunable else tunable
    chosen = chosen.model_copy(update={"methods": tuple(wanted)})
    spaces = {method.label: get_space(method.name) for method in wanted}
    place = device_here(device)
    networks = {
        name: load_prior(name, device=place)
        for name in {task.prior or chosen.prior for task in chosen.tasks}
    }
    known = validation_images(images, size, crops=crops, seed=seed)
    for task in chosen.tasks:
        require_kind(known, networks[task.prior or chosen.prior], task.name)
    todo = tuning_problems(chosen, networks, known, samples=samples, device=place)
    total, done = len(todo) * trials * len(known), 0
    rows: list[Row] = []

    def on_image(count: int) -> None:
        nonlocal done
        if count:
            done += count
            bar(done, total)

    try:
        with (
            open_engine(workers, cluster, tell=note) as engine,
            StepBar("tune", of="images") as bar,
        ):
            for problem in todo:
                space = spaces[problem.method.label]
                names = f"{problem.method.name} {problem.task.op}"
                study = open_study(
                    f"{names} {problem.digest(space=space)}", out.with_suffix(".journal")
                )
                refusal = "interrupted"
                try:
                    search(
                        study,
                        space,
                        problem.score,
                        images=len(known),
                        trials=trials,
                        seed=seed,
                        engine=engine,
                        on_image=on_image,
                    )
                    refusal = "no options give numbers"
                except ValueError as error:  # the method does not serve the task
                    refusal = " ".join(str(error).split())
                finally:
                    rows.append(Row(problem, best(study, trials), refusal))
                    write_record(
                        out,
                        rows,
                        command=shlex.join(["invscore", *sys.argv[1:]]),
                        images=list(known),
                        size=size,
                        seed=seed,
                    )
    finally:
        if rows:
            _print(rows)
            typer.echo(f"{out}: the options, for 'methods: tasks:' of {config}")
    if all(row.found is None for row in rows):
        raise ValueError(f"no options were found: {rows[0].refusal}")


def _print(rows: list[Row]) -> None:
    """Prints the gains of tuning, method by method and task by task."""

    def cells(row: Row) -> tuple[str, ...]:
        names = (row.problem.method.label, row.problem.task.name)
        if row.found is None:
            return (*names, "", "", "", row.refusal)
        default, score = row.found.default, row.found.score
        return (
            *names,
            "" if default is None else f"{default:.2f} dB",
            f"{score:.2f} dB",
            "" if default is None else f"{score - default:+.2f} dB",
            as_options(row.found.options),
        )

    print_table(("method", "task", "default", "tuned", "gain", "options"), map(cells, rows))
