"""README.md is true: its Python runs, its files exist, its commands are there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from invscore.cli.main import app
from invscore.methods import METHODS
from invscore.operators import Operator

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_python_runs() -> None:
    namespace: dict[str, Any] = {"__name__": "readme"}
    blocks = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len(blocks) == 2
    for number, block in enumerate(blocks):
        exec(compile(block, f"README.md, example {number}", "exec"), namespace)
    assert namespace["result"].samples.shape == (4, 1, 1, 64, 64)
    assert namespace["result"].mean.shape == namespace["result"].std.shape == (1, 1, 64, 64)
    assert issubclass(namespace["EveryOtherRow"], Operator)


def test_links_lead_somewhere() -> None:
    links = [link for link in re.findall(r"\]\(([^)]+)\)", README) if "://" not in link]
    assert len(links) > 5
    for link in links:
        assert (ROOT / link).exists(), link


def test_commands_and_methods_are_there() -> None:
    commands = set(re.findall(r"invscore ([a-z]+)", README)) - {"and"}
    assert {"reconstruct", "train", "check", "bench"} <= commands
    for command in commands & {"reconstruct", "train", "check", "bench", "operators", "priors"}:
        assert CliRunner().invoke(app, [command, "--help"]).exit_code == 0
    families = README.split("## Methods\n")[1].split("\n\n")[1]
    assert {"dps", "smc"} <= set(METHODS) <= set(re.findall(r"`([a-z_]+)`", families))
