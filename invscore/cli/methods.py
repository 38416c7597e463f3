"""``invscore methods``: what ``--method`` may say."""

from __future__ import annotations

from typing import Annotated

import typer

from invscore.cli.arguments import Debug, Json
from invscore.cli.errors import guarded
from invscore.cli.tables import as_options, print_json, print_table


@guarded
def methods(
    json: Json = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="The page docs/methods.md.")] = False,
    debug: Debug = False,  # noqa: ARG001
) -> None:
    """List the methods, what they need, what they cost and their options."""
    from invscore.methods import METHODS, table

    if json:
        print_json(
            {
                name: {
                    "summary": info.summary,
                    "exact": info.exact,
                    "law": info.law,
                    "needs": list(info.needs),
                    "evaluations": info.evaluations,
                    "products": info.products,
                    "cites": info.cites,
                    "options": info.defaults,
                }
                for name, info in METHODS.items()
            }
        )
        return
    if markdown:
        typer.echo(table.markdown(), nl=False)
        return
    rows = []
    for name, info in METHODS.items():
        summary = info.summary.replace("``", "").rstrip(".")
        exact = "yes" if info.exact else ""
        needs = table.needs_in_words(info).replace("`", "")
        cost = f"{info.evaluations} + {info.products} J"
        what = f"{summary} ({info.cites})"
        rows.append((name, exact, what, needs, cost, as_options(info.defaults)))
    print_table(("method", "exact", "what it does", "needs", "cost", "options"), rows)
    typer.echo("exact: samples the true posterior in the limit of small steps or many particles.")
    typer.echo("cost: denoiser evaluations and products with its Jacobian (J), for each step.")
    typer.echo("For example: --method dps --steps 500 --set guidance=0.5")
