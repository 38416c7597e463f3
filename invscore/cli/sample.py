"""``invscore sample``: images from a prior, as it imagines them."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from invscore.cli.arguments import PRIOR_HELP, Debug, Device, Json
from invscore.cli.errors import guarded
from invscore.cli.method_options import parse_options

if TYPE_CHECKING:
    from invscore.priors import Prior

PRIOR = f"What images look like: {PRIOR_HELP}"
USUAL_SHAPE = (64, 64)
"""Height and width of the images where a prior does not know on which it was trained."""


@guarded
def sample(
    prior: Annotated[str, typer.Option(metavar="NAME|FILE", help=PRIOR)],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder for the images.")],
    n: Annotated[int, typer.Option("--n", metavar="N", help="How many images.")] = 16,
    sampler: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="adaptive, ddim, ddpm, dpm++2m, euler, euler-maruyama, heun or pc.",
        ),
    ] = "heun",
    steps: Annotated[
        int | None, typer.Option(metavar="N", help="Steps of the sampler: its own by default.")
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="OPTION=VALUE",
            help="Another option of the sampler, such as eta=0.5; may be repeated.",
        ),
    ] = None,
    guide: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|FILE",
            help="A weaker version of the prior, to be steered away from: clearer images.",
        ),
    ] = None,
    guidance: Annotated[
        float | None,
        typer.Option(metavar="W", help="How far away from --guide: 1 is not at all, default 2."),
    ] = None,
    size: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Height and width of the images in pixels: by default those that the prior was "
            "trained on.",
        ),
    ] = None,
    seed: Annotated[
        int, typer.Option(metavar="K", help="Seed of the first image; the next has the next.")
    ] = 0,
    batch_size: Annotated[
        int | None,
        typer.Option(
            metavar="N", help="Images drawn together: by default as many as have a million pixels."
        ),
    ] = None,
    overwrite: Annotated[
        bool,
        typer.Option(
            "--overwrite", metavar="", help="Write into --out even if it holds other files."
        ),
    ] = False,
    device: Device = "auto",
    json: Json = False,
    debug: Debug = False,  # noqa: ARG001
) -> None:
    """Draw images from a prior: a PNG each, all in grid.png, samples.npy and options.json."""
    if size is not None and size < 1:
        raise ValueError(f"`size` must be at least 1, got {size}")
    if guidance is not None and guide is None:
        raise ValueError("guidance needs --guide, a weaker prior")
    options = parse_options(set_, steps)

    # Heavy imports wait until the command line is understood.
    import torch

    from invscore import sampling
    from invscore.bench.versions import versions
    from invscore.cli import album
    from invscore.cli.devices import device_here
    from invscore.cli.loading import open_prior
    from invscore.cli.progress import StepBar
    from invscore.cli.report import check_folder
    from invscore.cli.tables import print_json
    from invscore.tasks.task import PIXELS_TOGETHER

    sampling.get_sampler(sampler).options(options)
    check_folder(out, overwrite=overwrite, mark=album.OPTIONS)
    device = device_here(device)
    network = open_prior(prior, device)
    steered: dict[str, Any] = {}
    if guide is not None:
        weight = sampling.GUIDANCE if guidance is None else guidance
        steered = {"guide": _guide(open_prior(guide, device), network), "guidance": weight}
    known = network.metadata.get("shape", USUAL_SHAPE) if size is None else (size, size)
    shape = (network.channels, *known[-2:])
    together = max(1, PIXELS_TOGETHER // math.prod(shape))
    with StepBar(sampler) as on_step:
        drawn = sampling.sample(
            network,
            shape,
            n=n,
            sampler=sampler,
            seed=seed,
            batch_size=together if batch_size is None else batch_size,
            dtype=torch.complex64 if network.complex else torch.float32,
            device=device,
            on_step=on_step,
            **steered,
            **options,
        )
    content = {
        "prior": prior,
        "n": n,
        "shape": list(shape),
        "sampler": sampler,
        "options": drawn.options,
        "seed": seed,
        "guide": guide,
        "guidance": steered.get("guidance"),
        "evaluations": drawn.evaluations,
        "seconds": round(drawn.seconds, 3),
        "device": device,
        "versions": versions(),
    }
    album.write(out, drawn.samples.cpu(), content)
    if json:
        print_json(content)
        return
    typer.echo(
        f"{n} images by {sampler}, {drawn.evaluations:.0f} denoiser evaluations each, "
        f"{drawn.seconds:.1f} s on {device}"
    )
    typer.echo(f"{out / 'grid.png'}  and more in {out}/")


def _guide(guide: Prior, prior: Prior) -> Prior:
    """``guide``, if it takes the images of ``prior``."""
    if (guide.channels, guide.complex) != (prior.channels, prior.complex):
        raise ValueError(
            f"`guide` must be a weaker version of the prior, which takes {_images(prior)}, "
            f"got one that takes {_images(guide)}"
        )
    return guide


def _images(prior: Prior) -> str:
    return f"{'complex' if prior.complex else 'real'} images of {prior.channels} channels"
