"""``invscore methods``: what ``--method`` may say."""

from __future__ import annotations

import inspect
import textwrap
from typing import TYPE_CHECKING, Annotated

import typer

from invscore.cli.arguments import Debug, Json
from invscore.cli.errors import guarded
from invscore.cli.tables import in_words, print_json

if TYPE_CHECKING:
    from invscore.methods import MethodInfo

WIDTH = 80


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
        typer.echo(_details(chosen[0]))
    else:
        longest = max(len(info.name) for info in chosen)
        for info in chosen:
            summary = info.summary.replace("``", "").replace("`", "").rstrip(".")
            line = f"{info.name:{longest}}{'  * ' if info.exact else '    '}"
            typer.echo(line + textwrap.shorten(summary, WIDTH - len(line), placeholder=" ..."))
        typer.echo("\n*: samples the true posterior in the limit of small steps or many particles.")
        typer.echo("All about one of them: invscore methods dps")


def _details(info: MethodInfo) -> str:
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
        (name, in_words(info.defaults[name]), described(hint)) for name, hint in info.hints.items()
    ]
    wide = [max(len(row[column]) for row in rows) for column in (0, 1)]
    lines = [info.name, "", inspect.getdoc(info.run) or "", "", "options, defaults and ranges:"]
    for option, default, span in rows:
        start = f"  {option:{wide[0]}}  {default:{wide[1]}}  "
        lines += textwrap.wrap(start + span, WIDTH, subsequent_indent=" " * len(start)) or [start]
    lines.append("")
    for fact, text in facts.items():
        lines += textwrap.wrap(f"{fact}: {text}", WIDTH, subsequent_indent="  ")
    return "\n".join(part for line in lines for part in _fitted(line))


def _fitted(line: str) -> list[str]:
    """Paragraphs of ``line``, no wider than the terminal of old; of examples, line by line."""
    parts = []
    for paragraph in line.split("\n\n"):
        for one in paragraph.split("\n") if ">>> " in paragraph else [paragraph]:
            parts += [one] if len(one) <= WIDTH else textwrap.wrap(one, WIDTH)
        parts.append("")
    return parts[:-1]
