"""Scripts of the examples, run as from the command line but in this process.

A process of its own spends four seconds on imports that this one has made already.
"""

from __future__ import annotations

import contextlib
import io
import runpy
import sys
from pathlib import Path
from unittest import mock

import torch

EXAMPLES = Path(__file__).parents[2] / "examples"


def run(name: str, *arguments: str, folder: Path | None = None) -> str:
    """What the script ``name`` prints, run in ``folder``. Raises ``SystemExit`` where it fails."""
    script, out = EXAMPLES / name, io.StringIO()
    there = contextlib.nullcontext() if folder is None else contextlib.chdir(folder)
    path = [str(script.parent), *sys.path]
    with (
        mock.patch.object(sys, "argv", [str(script), *arguments]),
        mock.patch.object(sys, "path", path),
        torch.random.fork_rng(devices=[]),
        contextlib.redirect_stdout(out),
        there,
    ):
        try:
            runpy.run_path(str(script), run_name="__main__")
        except SystemExit as end:
            if end.code:
                raise
    return out.getvalue()
