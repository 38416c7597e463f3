"""``invscore bench posterior``: how far each method is from the true posterior."""

from __future__ import annotations

import json as text
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from invscore.cli.arguments import ClusterOf, Debug
from invscore.cli.errors import guarded, note
from invscore.cli.progress import StepBar
from invscore.cli.tables import print_table
from invscore.options.literals import split
from invscore.tasks.specs import parse_spec

if TYPE_CHECKING:
    from invscore.bench.posterior.run import MethodSetting

QUICK = "gaussian,field-mask,mixture-8-1-0.1,mixture-80-4-0.1,modes-half,nonlinear-phase"
QUICK_SAMPLES = 200
DEFAULT = "default"


@guarded
def posterior(
    problems: Annotated[
        str | None,
        typer.Option(
            metavar="NAMES",
            help="Such as mixture,field-blur,'mixture-8-*'; default one or a few of each family.",
        ),
    ] = None,
    methods: Annotated[
        str | None,
        typer.Option(metavar="NAMES", help="Such as dps,'smc(particles=1000)'; default all."),
    ] = None,
    evaluations: Annotated[
        str | None,
        typer.Option(
            metavar="NUMBERS",
            help="Of the denoiser, for each sample, such as 20,100,default; 'default' stands for "
            "the method's own number of steps. Default 20.",
        ),
    ] = None,
    instances: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="Measurements of each problem, default 2."),
    ] = None,
    samples: Annotated[
        int | None,
        typer.Option(metavar="N", min=2, help="Of each method; default as the problem says."),
    ] = None,
    quick: Annotated[
        bool,
        typer.Option("--quick", metavar="", help="Six problems, 200 samples: two minutes."),
    ] = False,
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="Finished cells: a run that was stopped goes on.")
    ] = Path("bench-posterior"),
    json: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write every row to this file.")
    ] = None,
    page: Annotated[
        Path | None,
        typer.Option(metavar="FILE.md", help="Write a page of results, its figures beside it."),
    ] = None,
    seed: Annotated[int, typer.Option(metavar="N", min=0)] = 0,
    workers: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            help="Processes of this machine that share the work: default one a core, where "
            "'invscore[cluster]' is installed.",
        ),
    ] = None,
    cluster: ClusterOf = None,
    debug: Debug = False,  # noqa: ARG001
) -> None:
    """Measure how far methods are from posteriors that are known."""
    from invscore.bench.posterior import PROBLEMS
    from invscore.bench.posterior.cells import remembered
    from invscore.bench.posterior.problem import select
    from invscore.bench.posterior.rank_figure import histograms
    from invscore.bench.posterior.rows import rows_of
    from invscore.bench.posterior.run import plan, run_cells
    from invscore.bench.posterior.tables import refusals, summary
    from invscore.bench.versions import versions
    from invscore.engine import available_workers, open_engine
    from invscore.files import atomic_file, check_writable

    for target in (out, *(file.parent for file in (json, page) if file is not None)):
        check_writable(target)
    standard = [name for name, problem in PROBLEMS.items() if problem.standard]
    patterns = split(problems or (QUICK if quick else "")) or standard
    instances = instances or 2
    samples = samples or (QUICK_SAMPLES if quick else None)
    evaluations = evaluations or "20"
    cells = plan(
        select(patterns),
        _method_settings(methods),
        evaluations=_evaluations(evaluations),
        instances=instances,
        samples=samples,
        seed=seed,
    )
    if workers is None:
        left = sum(remembered(cell, out) is None for cell in cells)
        workers = 1 if cluster is not None else max(1, min(available_workers(), left))
    with (
        open_engine(workers, cluster, tell=note) as engine,
        StepBar("posteriors", of="cells") as bar,
    ):
        outcomes = run_cells(cells, out, engine=engine, on_cell=bar)
    rows = rows_of(outcomes)
    content: dict[str, Any] = {
        "command": _command(
            problems=",".join(patterns) if problems or quick else None,
            methods=methods,
            evaluations=evaluations,
            instances=instances,
            samples=samples,
            seed=seed,
        ),
        "seed": seed,
        "instances": instances,
        "versions": versions(),
        "problems": {name: PROBLEMS[name].what for name in {row["problem"] for row in rows}},
        "rows": rows,
        "ranks": histograms(outcomes),
    }
    print_table(*summary(rows))
    typer.echo("Error over floor: 1 is the error of as many samples from the true posterior.")
    for problem, refusing, reason in refusals(rows):
        typer.echo(f"{problem}: {refusing}: {reason}", err=True)
    if json is not None:
        with atomic_file(json) as file:
            file.write_text(text.dumps(content, indent=1) + "\n", encoding="utf-8")
    if page is not None:
        from invscore.bench.posterior.page import write

        write(content, page)


def _method_settings(given: str | None) -> list[MethodSetting]:
    from invscore.bench.posterior.run import MethodSetting
    from invscore.methods import METHODS, get_method

    chosen = []
    for entry in split(given) if given is not None else METHODS:
        spec = parse_spec(entry, "method")
        get_method(spec.address).options(spec.options)
        chosen.append(MethodSetting(spec.address, spec.options))
    return chosen


def _evaluations(given: str) -> list[int | None]:
    numbers: list[int | None] = []
    for part in split(given):
        if part != DEFAULT and not (part.isdigit() and int(part) > 0):
            raise ValueError(
                f"`--evaluations` must be positive numbers or '{DEFAULT}', got {given}"
            )
        numbers.append(None if part == DEFAULT else int(part))
    return numbers


def _command(**options: str | int | None) -> str:
    """The command with those ``options`` that are given: what shapes the numbers."""
    given = [(name, str(value)) for name, value in options.items() if value is not None]
    words = [word for name, value in given for word in (f"--{name}", value)]
    return shlex.join(["invscore", "bench", "posterior", *words])
