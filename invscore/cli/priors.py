"""``invscore priors``: what ``--prior`` may say."""

from __future__ import annotations

import typer

from invscore.cli.arguments import Debug, Json
from invscore.cli.errors import guarded
from invscore.cli.tables import print_json, print_table

KINDS = {1: "gray", 3: "colour"}


@guarded
def priors(json: Json = False, debug: Debug = False) -> None:  # noqa: ARG001
    """List the priors that come with invscore."""
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
