"""JSON of files that may have been changed by hand: small, shallow, without NaN and infinities."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from invscore.files import require_file

LARGEST = 2**26
"""Largest size of a JSON file in bytes."""


def read_json(path: str | Path) -> Any:
    """The content of the JSON file ``path``. Raises ``ValueError`` where it is none."""
    require_file(path, largest=LARGEST)
    try:
        return read_json_text(Path(path).read_text(encoding="utf-8"))
    except UnicodeDecodeError:
        raise ValueError(f"{str(path)!r} cannot be read: it is no text in UTF-8") from None
    except ValueError as error:
        raise ValueError(f"{str(path)!r} cannot be read: {error}") from error


def read_json_text(text: str, *, finite: bool = True) -> Any:
    """The content of the JSON ``text``. Raises ``ValueError`` that says why, where it is none.

    Python writes NaN and infinities, which JSON does not know: they are refused if ``finite``.
    """

    def refuse(constant: str) -> float:
        if not finite:
            return float(constant)
        raise ValueError(f"it holds {constant}, which is no number of JSON")

    def keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            names = [name for name, _ in pairs]
            raise ValueError(
                f"the key {next(n for n in names if names.count(n) > 1)!r} comes twice"
            )
        return found

    try:
        return json.loads(text, parse_constant=refuse, object_pairs_hook=keys)
    except json.JSONDecodeError as error:
        raise ValueError(f"it is no JSON (line {error.lineno})") from error
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
