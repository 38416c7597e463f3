"""The file that says how far intervals are widened in each task: ``methods[].calibration``."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from invscore.bench.imaging.config import MethodConfig
from invscore.bench.imaging.scores import LEVEL
from invscore.files import atomic_file

FORMAT = "invscore bench calibration 1"


def save_factors(path: Path, factors: Mapping[str, float], **recorded: Any) -> None:
    """Write ``factors``, by the names of tasks, and what is ``recorded`` of how they were found."""
    content = {"format": FORMAT, "level": LEVEL, "factors": dict(factors), **recorded}
    with atomic_file(path) as partial:
        partial.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def load_factors(path: Path) -> dict[str, float]:
    """The factors that ``save_factors`` has written. Raises ``ValueError`` for anything else."""
    factors: dict[str, float] = _content(path)["factors"]
    return factors


def factors_of(method: MethodConfig) -> dict[str, float]:
    """The factors of a ``method``, from its ``calibration``; none without one.

    Raises ``ValueError`` as ``load_factors``, and where the record in the file says another method,
    other samples or, of a task, other options.
    """
    if method.calibration is None:
        return {}
    content = _content(method.calibration)
    given = {
        "method": method.name,
        "samples": method.samples,
        "options": {task: method.options_for(task) for task in content.get("options", {})},
    }
    for name, value in given.items():
        if content.get(name, value) != value:
            raise ValueError(
                f"calibration {str(method.calibration)!r} was made with {name} {content[name]}, "
                f"method {method.label!r} has {value}: intervals need a calibration of their own "
                "for it"
            )
    return dict(content["factors"])


def _content(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise ValueError(f"calibration {str(path)!r}: no such file")
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        factors = content["factors"].values()
        sound = content["format"] == FORMAT and content["level"] == LEVEL
        sound = sound and all(math.isfinite(factor) and factor > 0 for factor in factors)
        sound = sound and isinstance(content.get("options", {}), dict)
    except (AttributeError, KeyError, TypeError, ValueError):
        sound = False
    if not sound:
        raise ValueError(
            f"the calibration must be a file of this benchmark at level {LEVEL:g} with a "
            f"positive factor for each task, got {str(path)!r}"
        )
    return content
