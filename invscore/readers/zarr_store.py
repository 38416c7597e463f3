"""Zarr arrays and groups, OME-Zarr among them: folders, or one zip file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from invscore.files import atomic_file
from invscore.readers.base import Array, Recording, Wanted, as_float, choose
from invscore.readers.numbers import white_of


def read(file: Path, wanted: Wanted) -> Recording:
    """The array ``key`` of a Zarr store, read where it is indexed; OME-Zarr's finest by default."""
    import zarr

    store = zarr.storage.ZipStore(file, mode="r") if file.is_file() else str(file)
    opened = zarr.open(store, mode="r")
    if isinstance(opened, zarr.Array):
        return _recording(opened, "", {})
    attributes = dict(opened.attrs)
    scales = attributes.get("ome", attributes).get("multiscales", [])
    axes, names = "", wanted.names
    if scales:
        finest = str(scales[0]["datasets"][0]["path"])
        given = scales[0].get("axes", "tczyx")  # before version 0.4 they were always these
        letters = [axis["name"] if isinstance(axis, dict) else axis for axis in given]
        axes = "".join({"y": "h", "x": "w"}.get(a.lower(), a.lower()) for a in letters)
        names = (finest, *names)
    held = [name for name, item in opened.members(max_depth=None) if isinstance(item, zarr.Array)]
    key = choose(file, held, Wanted(wanted.key, names))
    values = opened[key]
    known = axes if scales and len(axes) == values.ndim else ""
    return _recording(values, known, {"key": key, **attributes})


def write(file: Path, values: Array, like: Recording) -> None:  # noqa: ARG001
    """``values``, (c, h, w) or (c, d, h, w), as the array of a Zarr store in one zip file."""
    import zarr

    with atomic_file(file) as partial, zarr.storage.ZipStore(partial, mode="w") as store:
        names = ("c", "z", "y", "x") if values.ndim == 4 else ("c", "y", "x")
        zarr.create_array(store, data=as_float(values), dimension_names=names)


def _recording(values: Any, axes: str, header: dict[str, Any]) -> Recording:
    return Recording(values, axes, white=white_of(values.dtype), header=header)
