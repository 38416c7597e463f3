"""The versions of what computes."""

from __future__ import annotations

import platform
import subprocess
from pathlib import Path

import numpy as np
import torch

import invscore


def versions() -> dict[str, str]:
    """Versions of invscore and of the libraries that it depends on."""
    return {
        "invscore": invscore.__version__,
        "torch": str(torch.__version__),
        "numpy": np.__version__,
        "python": platform.python_version(),
    }


def commit() -> str | None:
    """The commit of the checkout that is running, ``-dirty`` where it was changed since.

    None where invscore runs from no checkout of its repository, or there is no git.
    """
    root = Path(invscore.__file__).resolve().parents[1]
    if not (root / ".git").exists():
        return None
    try:
        name = _git(root, "describe", "--always", "--abbrev=10")
        # What `describe --dirty` says, which locks the index, and leaves it locked if it is killed.
        changed = _git(root, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.CalledProcessError):
        return None
    return f"{name}-dirty" if changed else name


def _git(root: Path, *words: str) -> str:
    command = ["git", "--no-optional-locks", "-C", str(root), *words]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
