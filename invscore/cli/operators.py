"""``invscore operators``: what ``--op`` may say."""

from __future__ import annotations

import inspect
from typing import Any

import typer

from invscore.cli.arguments import Debug, Json
from invscore.cli.errors import guarded
from invscore.cli.tables import as_options, print_json, print_table
from invscore.tasks.builtin import BUILTIN, option_defaults

REQUIRED = "FILE"


@guarded
def operators(json: Json = False, debug: Debug = False) -> None:  # noqa: ARG001
    """List the operators that come with invscore and their options."""
    listed: dict[str, dict[str, Any]] = {
        name: {
            "summary": inspect.getdoc(builder) or "",
            "options": {
                option: REQUIRED if default is inspect.Parameter.empty else default
                for option, default in option_defaults(name).items()
            },
        }
        for name, builder in BUILTIN.items()
    }
    if json:
        print_json(listed)
        return
    print_table(
        ("operator", "what it does", "options"),
        [(name, o["summary"], as_options(o["options"])) for name, o in listed.items()],
    )
    typer.echo("For example: --op deblur   --op 'deblur(sigma=3)'   --op 'blur(kernel=k.png)'")
    typer.echo("Your own:    --op my_operators.py:MyOperator   ('invscore check' tests it)")
