"""``invscore methods``: what ``--method`` may say."""

from __future__ import annotations

import inspect
import textwrap
from typing import TYPE_CHECKING, Annotated

import typer

from invscore.cli.arguments import Debug, Json
from invscore.cli.errors import guarded
from invscore.cli.tables import WIDTH, print_details, print_json
from invscore.options.words import as_written

if TYPE_CHECKING:
    from invscore.methods import MethodInfo


@guarded
def methods(
    name: Annotated[
        str | None,
        typer.Argument(metavar="[METHOD]", help="Say all about this one, or about FILE.py:NAME."),
    ] = None,
    json: Json = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="The page docs/methods.md.")] = False,
    debug: Debug = False,  # noqa: ARG001
) -> None:
    """List the methods, one a line; of METHOD, its equation, options, source, cost and law."""
    from invscore.methods import METHODS, get_method, table

    by_name = sorted(METHODS.values(), key=lambda info: (info.name != "auto", info.name))
    chosen = by_name if name is None else [get_method(name)]
    if json:
        print_json({info.name: table.described(info) for info in chosen})
    elif markdown:
        typer.echo(table.markdown(), nl=False)
    elif name is not None:
        _print_details(chosen[0])
    else:
        longest = max(len(info.name) for info in chosen)
        for info in chosen:
            summary = info.summary.replace("``", "").replace("`", "").rstrip(".")
            line = f"{info.name:{longest}}{'  * ' if info.exact else '    '}"
            typer.echo(line + textwrap.shorten(summary, WIDTH - len(line), placeholder=" ..."))
        typer.echo("\n*: samples the true posterior in the limit of small steps or many particles.")
        typer.echo("All about one of them: invscore methods dps")


def _print_details(info: MethodInfo) -> None:
    """Documentation, options with their ranges, and what is known of the method."""
    from invscore.methods import table
    from invscore.methods.cost import cost_in_words
    from invscore.options.ranges import described

    pairs = "in antithetic pairs by default: --set antithetic=false draws independent samples"
    facts = {
        "needs": table.needs_in_words(info).replace("`", ""),
        "law": info.law.replace("`", ""),
        "denoiser evaluations a step": cost_in_words(info.evaluations),
        "Jacobian products a step": cost_in_words(info.products),
        "source": info.cites,
        **({"samples": pairs} if info.antithetic else {}),
    }
    rows = [
        (name, as_written(info.defaults[name]), described(hint))
        for name, hint in info.hints.items()
    ]
    print_details(info.name, inspect.getdoc(info.run) or "", rows, facts)
