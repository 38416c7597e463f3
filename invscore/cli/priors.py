"""``invscore priors``: what ``--prior`` may say, and what a checkpoint of another code is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from invscore.cli.arguments import Debug, Device, Json
from invscore.cli.errors import guarded
from invscore.cli.group import Command, Group
from invscore.cli.tables import print_json, print_table

KINDS = {1: "gray", 3: "colour"}

priors = typer.Typer(cls=Group, invoke_without_command=True, add_completion=False)

Name = Annotated[
    str,
    typer.Argument(
        metavar="PRIOR",
        help="A name, a file or folder of any known code, or file.py:name; with facts in brackets "
        "where it does not tell them: 'ffhq.pt(preset=ffhq)'.",
    ),
]
Images = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        help="Clean images of the prior's kind to test it on; by default, images of its own.",
    ),
]


@priors.callback()
@guarded
def listing(context: typer.Context, json: Json = False, debug: Debug = False) -> None:  # noqa: ARG001
    """List the priors that come with invscore; check, or import, one of another code."""
    if context.invoked_subcommand is not None:
        return
    from invscore.priors import available_priors

    listed = available_priors()
    if json:
        print_json(listed)
        return
    rows = []
    for name, metadata in listed.items():
        form = metadata.get("parametrisation", {})
        channels = form.get("channels")
        kind = "complex" if form.get("complex") else KINDS.get(channels, f"{channels} channels")
        rows.append((name, kind, metadata.get("description", ""), metadata.get("licence", "")))
    print_table(("prior", "images", "description", "licence"), rows)
    typer.echo("Your own: --prior FILE.safetensors   ('invscore train' makes one)")
    typer.echo(
        "Another code's: --prior 'PATH(fact=value)'   ('invscore priors formats' lists these)"
    )


@priors.command(cls=Command)
@guarded
def formats(json: Json = False, debug: Debug = False) -> None:  # noqa: ARG001
    """List the codes whose checkpoints are priors, and the facts that these do not tell."""
    from invscore.priors.foreign.families import FAMILIES
    from invscore.priors.foreign.recipe import COMMON

    if json:
        print_json({f.name: {"title": f.title, "facts": dict(f.facts)} for f in FAMILIES})
        return
    rows = [
        (family.name, family.title, "; ".join(f"{n}: {what}" for n, what in family.facts.items()))
        for family in FAMILIES
    ]
    print_table(("family", "checkpoint", "facts that it may take"), rows)
    typer.echo(f"Of any: family, {', '.join(COMMON)}")


@priors.command(cls=Command)
@guarded
def check(
    prior: Name,
    images: Images = None,
    device: Device = "auto",
    json: Json = False,
    debug: Debug = False,  # noqa: ARG001
) -> None:
    """Does a denoiser behave like one, at the scale that it claims? Exit status 1 if not."""
    from invscore.cli.devices import device_here
    from invscore.cli.loading import open_prior
    from invscore.priors.denoiser_check import check_denoiser
    from invscore.tasks.check_images import images_for_check

    opened = open_prior(prior, device_here(device), check=False)
    shown, called = images_for_check(opened, images)
    report = check_denoiser(opened, shown, own=images is None, called=called)
    if json:
        print_json(report.content())
    else:
        typer.echo(str(report))
    if not report.ok:
        raise typer.Exit(1)


@priors.command("import", cls=Command)
@guarded
def import_(
    prior: Name,
    out: Annotated[Path, typer.Option(metavar="FILE", help="The .safetensors file to write.")],
    images: Images = None,
    anyway: Annotated[
        bool, typer.Option("--anyway", metavar="", help="Write it even if the test fails.")
    ] = False,
    json: Json = False,
    debug: Debug = False,  # noqa: ARG001
) -> None:
    """Convert a checkpoint of another code once: weights, facts, digest and test in one file.

    Exit status 1, and no file, where the test of its denoiser fails.
    """
    if out.suffix != ".safetensors":
        raise ValueError(f"`--out` must be a .safetensors file, got {str(out)!r}")
    from invscore.cli.errors import say
    from invscore.cli.loading import tell_facts
    from invscore.files import check_writable
    from invscore.priors.denoiser_check import check_denoiser
    from invscore.priors.foreign import read_foreign
    from invscore.priors.foreign.loading import named, save_recipe
    from invscore.priors.library import split_facts
    from invscore.tasks.check_images import images_for_check

    check_writable(out.parent)
    path, facts = split_facts(prior)
    recipe = read_foreign(Path(path), facts)
    built = named(Path(path), recipe.build)
    say(f"prior {path}: {tell_facts(built.facts)}")
    shown, called = images_for_check(built, images)
    report = check_denoiser(built, shown, own=images is None, called=called)
    if report.ok or anyway:
        save_recipe(out, recipe, report.content())
    if json:
        print_json({"facts": built.facts, "check": report.content()})
    else:
        typer.echo(str(report))
        typer.echo(f"{out}" if report.ok or anyway else "nothing written: --anyway writes it")
    if not report.ok:
        raise typer.Exit(1)
