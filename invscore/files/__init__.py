"""Files on disk: written whole or not at all, checkpoints, and JSON and YAML of moderate size.

The examples of its functions go on from this one:

    >>> from pathlib import Path
    >>> from tempfile import mkdtemp
    >>> from invscore.files import *
    >>> folder = Path(mkdtemp())
"""

from invscore.files.atomic import (
    atomic_file,
    atomic_folder,
    check_writable,
    clear_leftovers,
    discard_unfinished,
    require_file,
)

__all__ = [
    "atomic_file",
    "atomic_folder",
    "check_writable",
    "clear_leftovers",
    "discard_unfinished",
    "require_file",
]
