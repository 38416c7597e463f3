"""``invscore bench``: measurements that anyone can repeat."""

from __future__ import annotations

import json as text
from pathlib import Path
from typing import Annotated, Any

import typer

from invscore.cli.arguments import Debug, Device
from invscore.cli.bench_calibrate import calibrate
from invscore.cli.bench_imaging import imaging
from invscore.cli.bench_posterior import posterior
from invscore.cli.errors import guarded
from invscore.cli.group import Command, Group
from invscore.cli.tables import print_table

bench = typer.Typer(
    cls=Group, no_args_is_help=True, help="Measure priors and methods on standard tasks."
)


@bench.callback()
def group() -> None:
    """Measure priors and methods on standard tasks."""


bench.command(cls=Command, no_args_is_help=True)(imaging)
bench.command(cls=Command, no_args_is_help=True)(calibrate)
bench.command(cls=Command)(posterior)


@bench.command(cls=Command, no_args_is_help=True)
@guarded
def denoising(
    prior: Annotated[
        str, typer.Option(metavar="NAME|FILE", help="A gray, colour or complex prior.")
    ],
    json: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write every row to this file.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Only the first N images.")
    ] = None,
    device: Device = "auto",
    debug: Debug = False,  # noqa: ARG001
) -> None:
    """PSNR on held-out images beside BM3D, a few minutes.

    Gray and colour priors denoise photographs of 256 x 256 pixels, complex ones slices of a brain
    with a smooth phase, compared by magnitude.
    """
    from invscore.bench.denoising import TASKS, means, run
    from invscore.bench.held_out import choose_collection
    from invscore.cli.devices import device_here
    from invscore.cli.loading import open_prior
    from invscore.files import atomic_file, check_writable

    if json is not None and not json.absolute().parent.is_dir():
        raise ValueError(f"--json {json}: the folder {json.parent} does not exist")
    if json is not None:
        if json.is_dir():
            raise ValueError(f"`--json` must be a file, got the folder {json}")
        check_writable(json.parent)
    place = device_here(device)
    model = open_prior(prior, place)
    name = choose_collection(model.channels, complex_valued=model.complex)
    task = TASKS[name]

    def tell(row: dict[str, Any]) -> None:
        typer.echo(f"{row['image']} at {task.noise(row['sigma'])}: {row['psnr']:.2f} dB", err=True)

    rows = run(model, task, limit=limit, device=place, on_row=tell)
    table = means(rows)
    print_table(
        ("noise", prior, "BM3D", "gain"),
        [
            (
                task.noise(row["sigma"]),
                f"{row['psnr']:.2f} dB",
                f"{row['psnr_bm3d']:.2f} dB",
                _with_error(row["gain"], row["gain_se"]),
            )
            for row in table
        ],
    )
    if json is not None:
        images = list(task.images[:limit])
        content = {"prior": prior, "task": name, "images": images, "means": table, "rows": rows}
        with atomic_file(json) as file:
            file.write_text(text.dumps(content, indent=2), encoding="utf-8")


def _with_error(gain: float, error: float | None) -> str:
    return f"{gain:+.2f} dB" if error is None else f"{gain:+.2f} ± {error:.2f} dB"
