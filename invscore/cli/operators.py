"""``invscore operators``: what ``--op`` may say."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from invscore.cli.arguments import Debug, Json
from invscore.cli.errors import guarded
from invscore.cli.tables import as_options, print_details, print_json, print_table
from invscore.options.words import as_written
from invscore.tasks import operator_table
from invscore.tasks.builtin import BUILTIN


@guarded
def operators(
    name: Annotated[
        str | None,
        typer.Argument(metavar="[OPERATOR]", help="Say all about this one, or about FILE.py:NAME."),
    ] = None,
    json: Json = False,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="The page docs/operators.md.")
    ] = False,
    debug: Debug = False,  # noqa: ARG001
) -> None:
    """List the operators and their options; of OPERATOR, its model and what each option means."""
    listed = {each: operator_table.described(each) for each in ([name] if name else BUILTIN)}
    if json:
        print_json(listed)
    elif markdown:
        typer.echo(operator_table.markdown(), nl=False)
    elif name is not None:
        _print_details(name, listed[name])
    else:
        print_table(
            ("operator", "what it does", "options"),
            [(each, o["summary"], as_options(o["options"])) for each, o in listed.items()],
        )
        typer.echo("For example: --op deblur   --op 'deblur(sigma=3)'   --op 'blur(kernel=k.png)'")
        typer.echo("Your own:    --op my_operators.py:MyOperator   ('invscore check' tests it)")
        typer.echo("All about one of them: invscore operators ct")


def _print_details(name: str, facts: dict[str, Any]) -> None:
    """Print the model of an operator, and what each of its options means."""
    rows = [
        (option, as_written(value), f"{facts['meanings'][option]}{_within(facts, option)}".strip())
        for option, value in facts["options"].items()
    ]
    text = f"{facts['summary']}\n\n{facts['model']}".rstrip()
    print_details(name, _plain(text), [(row[0], row[1], _plain(row[2])) for row in rows], {})


def _within(facts: dict[str, Any], option: str) -> str:
    """A sentence on the range of an option, where it has one."""
    span = facts["ranges"][option]
    return f" {'In' if span[0] in '([' else 'One of'} {span}." if span else ""


def _plain(text: str) -> str:
    return text.replace("`", "")
