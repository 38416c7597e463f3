"""Tables on the terminal."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from invscore.options.words import as_written

WIDTH = 80
"""Characters of a line of text."""


class Output(Console):
    """Standard output. A reader who has seen enough, such as head, is a ``BrokenPipeError``."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print ``rows`` under ``columns``, the first of which is bold."""
    table = Table(box=SIMPLE_HEAD, header_style="dim", pad_edge=False)
    for index, column in enumerate(columns):
        table.add_column(column, style="bold" if index == 0 else "", no_wrap=index == 0)
    for row in rows:
        table.add_row(*map(escape, row))
    Output(highlight=False).print(table)


def print_json(content: Any) -> None:
    typer.echo(json.dumps(content, indent=2))


def as_options(defaults: dict[str, Any]) -> str:
    """``{"steps": 20}`` as ``steps=20``."""
    return ", ".join(f"{name}={as_written(value)}" for name, value in defaults.items())


def print_details(
    name: str, text: str, rows: Sequence[tuple[str, str, str]], facts: Mapping[str, str]
) -> None:
    """Print all about ``name``: its text, its options with default and range, and facts."""
    wide = [max((len(row[column]) for row in rows), default=0) for column in (0, 1)]
    lines = [name, "", text]
    lines += ["", "options, defaults and ranges:"] if rows else []
    for option, default, span in rows:
        start = f"  {option:{wide[0]}}  {default:{wide[1]}}  "
        lines += textwrap.wrap(start + span, WIDTH, subsequent_indent=" " * len(start)) or [start]
    lines += [""] if facts else []
    for fact, words in facts.items():
        lines += textwrap.wrap(f"{fact}: {words}", WIDTH, subsequent_indent="  ")
    typer.echo("\n".join(part for line in lines for part in _fitted(line)))


def _fitted(line: str) -> list[str]:
    """Paragraphs of ``line``, no wider than the terminal of old; of examples, line by line."""
    parts = []
    for paragraph in line.split("\n\n"):
        for one in paragraph.split("\n") if ">>> " in paragraph else [paragraph]:
            parts += [one] if len(one) <= WIDTH else textwrap.wrap(one, WIDTH)
        parts.append("")
    return parts[:-1]
