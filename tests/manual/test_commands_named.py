"""Every command line of the manual is one: its command exists, and so do its options."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import typer.main

from invscore.cli.main import app

ROOT = Path(__file__).parents[2]
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "configs/train/README.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
]
BLOCK = re.compile(r"^```sh\n(.*?)^```", re.DOTALL | re.MULTILINE)
INLINE = re.compile(r"`(invscore [a-z][^`]*)`")


def command_lines(page: Path) -> list[list[str]]:
    """The words behind ``invscore`` of the commands in the blocks and in the lines of a page."""
    text = page.read_text(encoding="utf-8")
    blocks = "\n".join(BLOCK.findall(text)).replace("\\\n", " ")
    lines = [line for row in blocks.splitlines() for line in re.split(r"&&|\|\|", row)]
    lines += [" ".join(found.split()) for found in INLINE.findall(text)]
    split = [shlex.split(line, comments=True) for line in lines]
    return [words[1:] for words in split if words[:1] == ["invscore"] and len(words) > 1]


def fault(words: list[str]) -> str | None:
    """What is wrong with the words of a command line: a command or an option that is not there."""
    command = typer.main.get_command(app)
    while (inner := getattr(command, "commands", None)) and words:
        if words[0].startswith("-"):
            break
        if words[0] not in inner:
            # `invscore methods NAME` and the like: a group that is a command itself.
            return None if command.params and command.name != "invscore" else f"{words[0]}?"
        command, words = inner[words[0]], words[1:]
    known = {option for each in command.params for option in (*each.opts, *each.secondary_opts)}
    known |= {"--help", "-h"}
    given = [word.partition("=")[0] for word in words if re.match(r"--?[a-z]", word)]
    return next((option for option in given if option not in known), None)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_commands_of_a_page(page: Path) -> None:
    faults = {" ".join(words): fault(words) for words in command_lines(page)}
    assert not {line: found for line, found in faults.items() if found}


def test_they_are_found_and_faults_are_seen() -> None:
    assert sum(len(command_lines(page)) for page in PAGES) > 100
    assert fault(["reconstruct", "--op", "deblur", "--samples", "4"]) is None
    assert fault(["reconstruct", "--sample", "4"]) == "--sample"
    assert fault(["reconstrut"]) == "reconstrut?"
    assert fault(["bench", "imaging", "--nope"]) == "--nope"
