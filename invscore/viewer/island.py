"""Data inside HTML: JSON that no name or number can break out of."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

_ESCAPES = {ord(c): f"\\u{ord(c):04x}" for c in "<>&\u2028\u2029"}


def as_island(content: Any) -> str:
    """``content`` as JSON for a script element: nothing in it ends the element or begins a tag.

    Numbers that JSON does not know become the text "NaN", "Infinity" or "-Infinity"; what is no
    JSON at all becomes its text.
    """
    text = json.dumps(_plain(content), allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    # A lone surrogate, from the name of a file in another encoding, cannot be written as UTF-8.
    return text.translate(_ESCAPES).encode("utf-8", "backslashreplace").decode("utf-8")


def _plain(content: Any) -> Any:
    if isinstance(content, Mapping):
        return {str(key): _plain(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [_plain(value) for value in content]
    if isinstance(content, bool | int | str) or content is None:
        return content
    try:
        number = float(content)  # those of NumPy and torch too
    except (TypeError, ValueError, RuntimeError):
        return str(content)
    if math.isnan(number):
        return "NaN"
    return number if math.isfinite(number) else f"{'-' if number < 0 else ''}Infinity"
