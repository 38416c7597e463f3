"""Operator specifications: ``name``, ``name(key=value, ...)``, ``file.py:name(key=value, ...)``,
``package.module:name(key=value, ...)``.

Values are literals, see ``invscore.options.literals``, and nothing is evaluated.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from invscore import plugins
from invscore.options.literals import parse_options
from invscore.tasks.builtin import BUILTIN


@dataclass(frozen=True)
class Spec:
    """Parsed specification. ``file`` is set for an operator from the user's own file.

    ``of_real_images``: whether one's own operator of complex images is to be of real ones alone, as
    a prior of these wants it.
    """

    name: str
    options: dict[str, Any] = field(default_factory=dict)
    file: Path | None = None
    of_real_images: bool = False

    @property
    def address(self) -> str:
        """``file.py:name``, or the name alone."""
        return self.name if self.file is None else f"{self.file}:{self.name}"

    @property
    def is_plugin(self) -> bool:
        """Whether it is an operator of one's own: from a file or an installed package."""
        if self.file is not None or ":" in self.name:
            return True
        return self.name not in BUILTIN and self.name in plugins.installed("operator")


def parse_spec(text: str, kind: str = "operator") -> Spec:
    """The specification ``text`` of a ``kind``. Raises ``ValueError`` where it is malformed."""
    file, head = None, text.strip()
    if match := re.match(r"(.+?\.py):(.*)", head, re.DOTALL):
        file, head = Path(match[1]), match[2]
    match = re.fullmatch(r"\s*([\w.-]+(?::\w+)?)\s*(?:\((.*)\))?\s*", head, re.DOTALL)
    if not match:
        raise ValueError(
            f"{kind} must be NAME, 'NAME(option=value, ...)' or FILE.py:NAME, got {text!r}"
        )
    options = parse_options(match[2] or "", f"{kind} {text!r}")
    return Spec(match[1], options, file)
