"""``invscore methods``: what ``--method`` may say."""

from __future__ import annotations

import typer

from invscore.cli.arguments import Debug, Json
from invscore.cli.errors import guarded
from invscore.cli.tables import as_options, print_json, print_table


@guarded
def methods(json: Json = False, debug: Debug = False) -> None:  # noqa: ARG001
    """List the methods, what they need and their options."""
    from invscore.methods import METHODS

    if json:
        print_json(
            {
                name: {
                    "summary": info.summary,
                    "exact": info.exact,
                    "needs": list(info.needs),
                    "cites": info.cites,
                    "options": info.defaults,
                }
                for name, info in METHODS.items()
            }
        )
        return
    rows = []
    for name, info in METHODS.items():
        summary = info.summary.replace("``", "").rstrip(".")
        exact = "yes" if info.exact else ""
        rows.append((name, exact, f"{summary} ({info.cites})", as_options(info.defaults)))
    print_table(("method", "exact", "what it does", "options"), rows)
    typer.echo("exact: samples the true posterior in the limit of small steps or many particles.")
    typer.echo("For example: --method dps --steps 500 --set guidance=0.5")
