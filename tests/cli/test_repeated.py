"""Options that are given twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import typer
from typer.testing import Result

from invscore.cli.main import app


def commands(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name), command


CASES = [
    (*path, *("x" for p in command.params if p.param_type_name == "argument"), option.opts[0])
    for path, command in commands(typer.main.get_command(app))
    for option in command.params
    if option.param_type_name == "option" and not option.is_flag and not option.multiple
]


@pytest.mark.parametrize("case", CASES, ids=" ".join)
def test_no_option_is_silently_overruled(
    invscore: Callable[..., Result], case: tuple[str, ...]
) -> None:
    *path, option = case
    done = invscore(*path, option, "1", option, "1")
    assert done.exit_code == 2
    assert done.stderr == f"invscore: error: {option} must be given once, got it 2 times\n"


def test_every_command_has_been_walked() -> None:
    assert {case[0] for case in CASES} > {"reconstruct", "calibrate", "sample", "train", "bench"}
    assert ("reconstruct", "--set") not in {case[-2:] for case in CASES}
