"""The file of options that were found, with all that is needed to find them again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml

from invscore.bench.versions import versions
from invscore.files import atomic_file
from invscore.tune.study import Found
from invscore.tune.tuning_problem import TuningProblem

HEAD = """\
# Written by 'invscore tune'. The options of each method and task go into a configuration of the
# imaging benchmark, under methods, tasks; {} says that the defaults were best.
"""


@dataclass(frozen=True)
class Row:
    """Outcome of a problem: what was ``found``, or why nothing could be (``refusal``)."""

    problem: TuningProblem
    found: Found | None
    refusal: str = ""


def write_record(file: Path, rows: Sequence[Row], **about: Any) -> None:
    """Write the options of ``rows`` and what else is told ``about`` them: as a whole or not at all.

    Numbers are those that were tried, and scores have three decimals.
    """
    methods: dict[str, dict[str, Any]] = {}
    for row in rows:
        entry = methods.setdefault(row.problem.method.label, {})
        entry[row.problem.task.name] = _entry(row)
    content = {
        **about,
        "versions": {**versions(), "optuna": version("optuna")},
        "methods": methods,
    }
    with atomic_file(file) as partial:
        text = yaml.safe_dump(content, sort_keys=False, default_flow_style=None, width=100)
        partial.write_text(HEAD + text, encoding="utf-8")


def _entry(row: Row) -> Mapping[str, Any]:
    if row.found is None:
        return {"refused": row.refusal}
    default = row.found.default
    return {
        "options": row.found.options,
        "psnr": round(row.found.score, 3),
        "psnr_default": None if default is None else round(default, 3),
        "samples": row.problem.samples,
        "trials": row.found.trials,
    }
