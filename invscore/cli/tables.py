"""Tables on the terminal."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print ``rows`` under ``columns``, the first of which is bold."""
    table = Table(box=SIMPLE_HEAD, header_style="dim", pad_edge=False)
    for index, column in enumerate(columns):
        table.add_column(column, style="bold" if index == 0 else "", no_wrap=index == 0)
    for row in rows:
        table.add_row(*map(escape, row))
    Console(highlight=False).print(table)


def print_json(content: Any) -> None:
    typer.echo(json.dumps(content, indent=2))


def as_options(defaults: dict[str, Any]) -> str:
    """``{"steps": 20}`` as ``steps=20``."""
    return ", ".join(f"{name}={in_words(value)}" for name, value in defaults.items())


def in_words(value: object) -> str:
    """A default as a specification would write it."""
    if value is None or isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)
