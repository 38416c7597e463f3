"""YAML of configurations: numbers, texts, lists and mappings; small, shallow, no key twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from invscore.files import require_file

LARGEST = 2**20
"""Largest size of a configuration in bytes."""

DEEPEST = 40
"""Most lists and mappings nested in one another."""

TOO_DEEP = f"it is nested deeper than {DEEPEST} levels"

MOST = 100_000
"""Most values of a configuration, those that an alias repeats counted each time."""


def read(path: Path) -> Any:
    """The content of the YAML file ``path``.

    Raises ``ValueError`` where there is no such file or it holds no such YAML.
    """
    require_file(path, largest=LARGEST)
    try:
        content = _load(path)
        _weigh(content, {}, ())
    except RecursionError:
        raise ValueError(f"{str(path)!r} cannot be read: {TOO_DEEP}") from None
    except (OSError, ValueError) as error:
        raise ValueError(f"{str(path)!r} cannot be read: {error}") from error
    return content


def _load(path: Path) -> Any:
    try:
        return yaml.load(Path(path).read_text(encoding="utf-8-sig"), _Loader)
    except UnicodeDecodeError as error:
        raise ValueError(f"it is no text in UTF-8 (byte {error.start})") from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = "" if mark is None else f" (line {mark.line + 1})"
        raise ValueError(f"{error.problem or error.context}{place}") from error
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split())) from error
    except (TypeError, ValueError, OverflowError) as error:  # a date such as 2001-99-99
        raise ValueError(f"a value is none: {error}") from error


class _Loader(yaml.SafeLoader):
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(
                    None, None, "a key must be a word", key.start_mark
                )
            if key.value in keys:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key.value!r} comes twice", key.start_mark
                )
            keys.add(key.value)
        return super().construct_mapping(node, deep)


def _weigh(content: Any, known: dict[int, int], above: tuple[int, ...]) -> int:
    """Number of values. Raises ``ValueError`` where they are too many or too deep."""
    if not isinstance(content, dict | list):
        return 1
    if id(content) in above:
        raise ValueError("a value contains itself")
    if len(above) > DEEPEST:
        raise ValueError(TOO_DEEP)
    if id(content) not in known:
        parts = content.values() if isinstance(content, dict) else content
        inside = (*above, id(content))
        known[id(content)] = 1 + sum(_weigh(part, known, inside) for part in parts)
        if known[id(content)] > MOST:
            raise ValueError(f"it repeats itself to more than {MOST} values")
    return known[id(content)]
