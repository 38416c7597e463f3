"""``invscore bench calibrate``: how far the intervals of ``bench imaging`` must be widened."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from statistics import fmean
from typing import Annotated

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
from invscore.cli.errors import guarded, note, say
from invscore.cli.progress import StepBar
from invscore.cli.tables import print_table
from invscore.options.literals import split

CELLS, IMAGES = "cells", "images"


@guarded
def calibrate(
    config: BenchConfig,
    images: ValidationImages,
    methods: BenchMethods = None,
    tasks: BenchTasks = None,
    crops: Crops = None,
    size: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="Pixels a side; default the configuration's."),
    ] = None,
    seed: Annotated[int, typer.Option(metavar="N", min=0, help="Of crops, noise and samples.")] = 0,
    workers: Workers = 1,
    cluster: ClusterOf = None,
    work: Annotated[
        Path,
        typer.Option(
            metavar="DIR",
            help="Validation images and finished cells: a run that was stopped goes on.",
        ),
    ] = Path("bench-calibration"),
    out: Annotated[
        Path,
        typer.Option(
            metavar="DIR",
            help="Factors of all tasks, a file METHOD.json for each method, for 'calibration:' in "
            "the configuration.",
        ),
    ] = Path("calibration"),
    device: Device = "auto",
    debug: Debug = False,  # noqa: ARG001
) -> None:
    """Find the factors by which 90 % intervals of 'bench imaging' hold 90 % of the pixels.

    Each method that samples restores validation images, at least ten, in each task; the factors
    keep their promise on average over new images like these, by conformal risk control.
    """
    from invscore.bench.imaging.config import read_imaging_config
    from invscore.bench.imaging.plan import plan, selected
    from invscore.bench.imaging.scores import LEVEL
    from invscore.bench.imaging.workers import run_cells
    from invscore.bench.versions import versions
    from invscore.calibration import check_count
    from invscore.calibration.factors import save_factors
    from invscore.calibration.widening import Widening, on_validation, widening, write_images
    from invscore.cli.devices import device_for
    from invscore.engine import open_engine
    from invscore.files import check_writable
    from invscore.priors import load_prior
    from invscore.tune.validation import require_kind, validation_images

    for folder in (work, out):
        if folder.exists() and not folder.is_dir():
            raise ValueError(f"`folder` must be a folder, got the file {str(folder)!r}")
        check_writable(folder)
    chosen = selected(
        read_imaging_config(config),
        methods=split(methods) if methods else None,
        tasks=split(tasks) if tasks else None,
    ).model_copy(update={"seed": seed})
    place, size = device_for(device, cluster), size or chosen.size
    chosen = on_validation(chosen, work / IMAGES, size)
    known = validation_images(images, size, crops=crops, seed=seed)
    check_count(len(known), LEVEL)
    for task in chosen.tasks:
        require_kind(known, load_prior(task.prior or chosen.prior), task.name)
    write_images(known, work / IMAGES)
    with (
        open_engine(workers, cluster, tell=note) as engine,
        StepBar("restoring", of="cells") as bar,
    ):
        outcomes = run_cells(plan(chosen), work / CELLS, device=place, engine=engine, on_cell=bar)
    rows = []
    for method in chosen.methods:
        found: dict[str, Widening] = {}
        for task in chosen.tasks:
            own = [o for o in outcomes if (o.cell.label, o.cell.task) == (method.label, task.name)]
            try:
                each = found[task.name] = widening(own, work / CELLS)
            except ValueError as error:
                say(f"no factor: {task.name}: {method.label}: {error}")
                continue
            held = (f"{100 * fmean(values):.1f} %" for values in (each.before, each.after))
            rows.append((method.label, task.name, f"{each.factor:.3f}", *held))
        if not found:
            continue
        save_factors(
            out / f"{method.label}.json",
            {name: each.factor for name, each in found.items()},
            held_before={name: fmean(each.before) for name, each in found.items()},
            held_after={name: fmean(each.after) for name, each in found.items()},
            method=method.name,
            options={name: method.options_for(name) for name in found},
            samples=method.samples,
            images=list(known),
            size=size,
            seed=seed,
            command=shlex.join(["invscore", *sys.argv[1:]]),
            versions=versions(),
        )
    print_table(("method", "task", "factor", "held before", "held after"), rows)
    typer.echo(
        f"{len(known)} images; after: each image by the factor of the others. {out}/: for "
        f"'calibration:' in {config}"
    )
