"""The examples of CONTRIBUTING.md are true to the code."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from invscore.methods import METHODS
from invscore.training.config import read_config

GUIDE = (Path(__file__).parents[1] / "CONTRIBUTING.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", GUIDE, re.DOTALL)


def test_examples_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(METHODS, "guided", METHODS["dps"])  # so that it is taken out again
    namespace: dict[str, Any] = {"__name__": "guide", "load_prior": lambda file: file}
    assert len(blocks("python")) == 5
    for number, block in enumerate(blocks("python")):
        exec(compile(block, f"CONTRIBUTING.md, example {number}", "exec"), namespace)
    assert namespace["result"].method == "guided"


def test_the_configuration_parses(tmp_path: Path) -> None:
    (block,) = blocks("yaml")
    file = tmp_path / "my-photos.yaml"
    file.write_text(block)
    assert read_config(file).optimiser.steps == 20000


def test_files_that_are_named_exist() -> None:
    named = set(re.findall(r"`((?:operators|invscore|tests|configs)/[\w/.-]+)`", GUIDE))
    assert len(named) > 8
    for path in named:
        assert (Path(__file__).parents[1] / path).exists(), path
