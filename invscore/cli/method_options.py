"""Options of methods and samplers as the command line gives them."""

from __future__ import annotations

from typing import Any

from invscore.options.literals import parse_assignment


def parse_options(assignments: list[str] | None, steps: int | None) -> dict[str, Any]:
    """Options from ``--set`` and ``--steps``. Raises ``ValueError`` for one that is given twice."""
    options: dict[str, Any] = {} if steps is None else {"steps": steps}
    for assignment in assignments or []:
        name, value = parse_assignment(assignment, "--set")
        if name in options:
            raise ValueError(f"option {name} is given twice")
        options[name] = value
    return options
