"""Tables in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def markdown_table(columns: Sequence[str], rows: Iterable[Sequence[str]], numbers: int = 0) -> str:
    """``rows`` under ``columns``, of which the last ``numbers`` are set flush right.

    >>> from invscore.options.markdown import markdown_table
    >>> print(markdown_table(["a", "b"], [["x|y", "1"]], numbers=1), end="")
    | a | b |
    | --- | ---: |
    | x\\|y | 1 |
    """
    rules = ["---"] * (len(columns) - numbers) + ["---:"] * numbers
    return "".join(
        f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |\n"
        for cells in (columns, rules, *rows)
    )
