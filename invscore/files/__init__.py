"""Files on disk: written whole or not at all, checkpoints, and JSON and YAML of moderate size."""

from invscore.files.atomic import (
    atomic_file,
    atomic_folder,
    check_target,
    check_writable,
    clear_leftovers,
    discard_unfinished,
    require_file,
)

__all__ = [
    "atomic_file",
    "atomic_folder",
    "check_target",
    "check_writable",
    "clear_leftovers",
    "discard_unfinished",
    "require_file",
]
