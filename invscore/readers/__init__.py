"""Files in and out: a suffix tells the format, its reader the array, axes, units and header."""

from __future__ import annotations

from invscore.readers.axes import Index, Part, parse_axes, parse_index, pick
from invscore.readers.base import Array, Recording, Unfit, Values
from invscore.readers.numbers import as_numbers, warn_of_range, white_of
from invscore.readers.table import (
    FORMATS,
    Format,
    find_format,
    known_suffixes,
    read,
    suffix_of,
    write,
    written_names,
)

__all__ = [
    "FORMATS",
    "Array",
    "Format",
    "Index",
    "Part",
    "Recording",
    "Unfit",
    "Values",
    "as_numbers",
    "find_format",
    "known_suffixes",
    "parse_axes",
    "parse_index",
    "pick",
    "read",
    "suffix_of",
    "warn_of_range",
    "white_of",
    "write",
    "written_names",
]
