"""The file that says how far intervals are widened in each task: ``methods[].calibration``."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

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
    if not path.is_file():
        raise ValueError(f"calibration {str(path)!r}: no such file")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        found = {str(task): float(factor) for task, factor in content["factors"].items()}
        sound = content["format"] == FORMAT and content["level"] == LEVEL
    except (AttributeError, KeyError, TypeError, ValueError):
        sound = False
    if not sound or not all(math.isfinite(f) and f > 0 for f in found.values()):
        raise ValueError(
            f"calibration {str(path)!r} is none of this benchmark at level {LEVEL:g}: a file with "
            "a positive factor for each task is allowed"
        )
    return found
