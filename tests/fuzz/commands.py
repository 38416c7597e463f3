"""The commands, what each takes, and a short command line of each that is valid."""

from __future__ import annotations

from typing import Any

import typer

from invscore.cli.main import app

PROBLEM = "--op deblur(sigma=1) --prior tiny.safetensors --noise 0.05"
DRAWS = "--method diffpir --steps 2 --samples 2"
LINES = {
    "reconstruct": f"{PROBLEM} --image gray.png {DRAWS} --out results/new",
    "calibrate": f"{PROBLEM} --images photos/train {DRAWS} --level 0.5 --out new.json",
    "sample": "--prior tiny.safetensors --n 2 --steps 2 --size 8 --out drawn",
    "likelihood": "gray.png --prior tiny.safetensors --size 4 --steps 2",
    "check": "ops.py:Half --shape 1,8,8",
    "train": "recipe.yaml",
    "tune": "--config bench.yaml --images photos/val --methods diffpir --size 16 --samples 1 "
    "--trials 1 --out tuned.yaml",
    "bench imaging": "--config bench.yaml --out bench",
    "bench calibrate": "--config bench.yaml --images photos/val --crops 12 --work work --out found",
    "bench posterior": "--problems gaussian --methods diffpir --evaluations 2 --instances 1 "
    "--samples 2 --workers 1 --out posterior",
    "bench denoising": "--prior tiny.safetensors --limit 1 --json rows.json",
}
WEIGHTS = {  # how often a command is chosen: those with much to say, and quick, more often
    "reconstruct": 12,
    "calibrate": 5,
    "sample": 6,
    "likelihood": 4,
    "check": 4,
    "train": 2,
    "tune": 2,
    "bench imaging": 2,
    "bench calibrate": 1,
    "bench posterior": 2,
    "bench denoising": 1,
}

STOPPABLE = ["reconstruct", "calibrate", "sample", "train", "tune", "bench imaging"]
STOPPABLE += ["bench posterior"]


def _parameters() -> dict[str, list[Any]]:
    """What each command takes, asked of the command line itself."""
    found: dict[str, list[Any]] = {}

    def walk(command: Any, path: tuple[str, ...]) -> None:
        if hasattr(command, "commands"):
            for name, inner in command.commands.items():
                walk(inner, (*path, name))
        else:
            found[" ".join(path)] = command.params

    walk(typer.main.get_command(app), ())
    return found


PARAMETERS = _parameters()
BASES = {command: f"{command} {LINES.get(command, '')}".split() for command in PARAMETERS}
PRIORS_COMMANDS = [
    command
    for command, parameters in PARAMETERS.items()
    if any(parameter.name == "prior" for parameter in parameters)
]
