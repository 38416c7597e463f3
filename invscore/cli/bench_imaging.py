"""``invscore bench imaging``: methods and baselines on standard imaging tasks."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated, Any

import typer

from invscore.cli.arguments import ClusterOf, Debug, Device, Workers
from invscore.cli.errors import guarded, note
from invscore.cli.progress import StepBar
from invscore.cli.tables import print_table
from invscore.options.literals import split

TASKS_ACROSS = 6
"""Tasks that a table on the terminal shows side by side."""


@guarded
def imaging(
    config: Annotated[
        Path,
        typer.Option(
            metavar="FILE.yaml",
            help="Tasks, methods and their options, such as configs/bench/imaging.yaml.",
        ),
    ],
    prior: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|FILE",
            help="Instead of the configuration's, for the tasks that do not name their own.",
        ),
    ] = None,
    images: Annotated[
        str | None,
        typer.Option(
            metavar="DIR",
            help="Folder of images, for the tasks that do not name their own.",
        ),
    ] = None,
    methods: Annotated[
        str | None,
        typer.Option(metavar="NAMES", help="Only these of the configuration, such as diffpir,tv."),
    ] = None,
    tasks: Annotated[
        str | None, typer.Option(metavar="NAMES", help="Only these of the configuration.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Only the first N images of each task.")
    ] = None,
    workers: Workers = 1,
    cluster: ClusterOf = None,
    seed: Annotated[
        int | None,
        typer.Option(metavar="K", min=0, help="Of all randomness; default the configuration's."),
    ] = None,
    device: Device = "auto",
    out: Annotated[
        Path,
        typer.Option(
            metavar="DIR", help="Results, and finished cells: a run that was stopped goes on."
        ),
    ] = Path("bench-imaging"),
    debug: Debug = False,  # noqa: ARG001
) -> None:
    """Restore images from standard measurements and compare methods.

    Writes tables, figures and a page, index.html. A run that was stopped goes on.
    """
    from invscore.bench.imaging.config import read_imaging_config

    chosen = read_imaging_config(config)
    given = {"prior": prior, "images": images, "limit": limit, "seed": seed}
    chosen = chosen.model_copy(update={k: v for k, v in given.items() if v is not None})

    # Heavy imports wait until the command line is understood.
    from invscore.bench.imaging.plan import plan, selected
    from invscore.bench.imaging.results import (
        CELLS,
        PAGE,
        TABLE,
        refusals,
        write_pictures,
        write_tables,
    )
    from invscore.bench.imaging.tables import summary, table
    from invscore.bench.imaging.workers import run_cells
    from invscore.cli.devices import device_for
    from invscore.engine import open_engine
    from invscore.files import check_writable

    if out.exists() and not out.is_dir():
        raise ValueError(f"`--out` must be a folder, got the file {str(out)!r}")
    check_writable(out)
    place = device_for(device, cluster)
    chosen = selected(
        chosen,
        methods=None if methods is None else split(methods),
        tasks=None if tasks is None else split(tasks),
    )
    cells = plan(chosen)
    with (
        open_engine(workers, cluster, tell=note) as engine,
        StepBar("restoring", of="cells") as bar,
    ):
        outcomes = run_cells(cells, out / CELLS, device=place, engine=engine, on_cell=bar)
    command = _command(config=str(config), methods=methods, tasks=tasks, **given)
    content = write_tables(chosen, outcomes, out, command=command)
    write_pictures(content, outcomes, out)
    names = [task.name for task in chosen.tasks]
    for first in range(0, len(names), TASKS_ACROSS):
        across = names[first : first + TASKS_ACROSS]
        psnr = table([mean for mean in content["means"] if mean["task"] in across], "psnr")
        print_table(psnr.columns, psnr.lines)
    typer.echo("PSNR in dB of the reconstruction, mean over images ± its standard error.")
    costs = summary(content["means"])
    print_table(costs.columns, costs.lines)
    typer.echo("Coverage of 90 % intervals, and costs of an image: means over the tasks served.")
    for task, method, reason in refusals(content["rows"]):
        typer.echo(f"skipped: {task}: {method}: {reason}", err=True)
    typer.echo(f"{out / PAGE}, {out / TABLE} and more in {out}/")
    if all(outcome.refusal for outcome in outcomes):
        raise ValueError("no method has restored anything: the reasons are above")


def _command(**options: Any) -> str:
    """The command with those ``options`` that are given: what shapes the numbers."""
    given = [(name, str(value)) for name, value in options.items() if value is not None]
    words = [word for name, value in given for word in (f"--{name}", value)]
    return shlex.join(["invscore", "bench", "imaging", *words])
