"""Zarr arrays and groups, OME-Zarr among them: folders, or one zip file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from invscore.files import atomic_file
from invscore.readers.base import Array, Recording, Unfit, Wanted, as_float, choose, single
from invscore.readers.geometry import change
from invscore.readers.numbers import warn_of_missing, warn_of_spacing, white_of

OME = "0.5"
"""Version of OME-Zarr that is written: the one for Zarr's third format."""


def read(file: Path, wanted: Wanted) -> Recording:
    """The array ``key`` of a Zarr store, read where it is indexed; OME-Zarr's finest by default.

    Chunks that are not stored have the fill value, which is told. Raises ``Unfit`` where the store
    declares none.
    """
    import zarr

    store = zarr.storage.ZipStore(file, mode="r") if file.is_file() else str(file)
    opened = zarr.open(store, mode="r")
    if isinstance(opened, zarr.Array):
        single(file, wanted)
        return _recording(file, opened, "", {"attributes": dict(opened.attrs)})
    attributes = dict(opened.attrs)
    try:
        return _group(file, opened, attributes, wanted)
    except (KeyError, TypeError, AttributeError, IndexError):
        described = attributes.get("ome", attributes)
        if not isinstance(described, Mapping) or "multiscales" in described:
            raise Unfit(
                f"{str(file)!r} must describe its image as OME-Zarr does: `multiscales` with "
                "`axes` and `datasets`, each with a `path`"
            ) from None
        raise


def _group(file: Path, opened: Any, attributes: dict[str, Any], wanted: Wanted) -> Recording:
    """The array asked for of a group, or the image that OME-Zarr describes."""
    from zarr import Array as ZarrArray

    scales = attributes.get("ome", attributes).get("multiscales", [])
    names, declared = wanted.names, []
    if scales:
        names = (str(scales[0]["datasets"][0]["path"]), *names)
        given = scales[0].get("axes", "tczyx")  # before version 0.4 they were always these
        declared = [axis if isinstance(axis, Mapping) else {"name": axis} for axis in given]
    held = [name for name, item in opened.members(max_depth=None) if isinstance(item, ZarrArray)]
    if scales and wanted.key is None and names[0] not in held:
        found = ", ".join(sorted(held)) or "none"
        raise Unfit(f"{str(file)!r} must hold its image {names[0]!r} of OME-Zarr, got {found}")
    key = choose(file, held, Wanted(wanted.key, names))
    values = opened[key]
    if len(declared) != len(values.shape):
        return _recording(file, values, "", {"attributes": dict(values.attrs)})
    letters = [axis["name"].lower() for axis in declared]
    axes = "".join({"y": "h", "x": "w"}.get(letter, letter) for letter in letters)
    spacing = _spacing(file, scales[0], key, len(declared))
    warn_of_spacing(file, [size for size, _ in spacing])
    return _recording(file, values, axes, {"axes": declared, "spacing": spacing})


def write(file: Path, values: Array, like: Recording) -> None:
    """``values``, (c, h, w) or (c, d, h, w), in one zip file: an array, or OME-Zarr like ``like``.

    An array has the attributes of that which was read, OME-Zarr the spacing of its pixels.
    """
    import zarr

    depth = like.depth or "z"
    letters = f"c{depth}yx" if values.ndim == 4 else "cyx"
    with atomic_file(file) as partial, zarr.storage.ZipStore(partial, mode="w") as store:
        data, names = as_float(values), tuple(letters)
        if "spacing" not in like.header:
            attributes = like.header["attributes"]
            zarr.create_array(store, data=data, dimension_names=names, attributes=attributes)
            return
        ome = {"version": OME, "multiscales": [_multiscales(letters, values.shape, like)]}
        group = zarr.create_group(store, attributes={"ome": ome})
        group.create_array("0", data=data, dimension_names=names)


def _multiscales(letters: str, shape: Sequence[int], like: Recording) -> dict[str, Any]:
    """OME-Zarr's facts of an array: its axes, and the size and place of the first of its pixels.

    Pixels of the result lie where they lay, finer or around the centre.
    """
    kinds = {"c": "channel", "t": "time"}
    described = dict(zip(like.origin, like.header["axes"], strict=True))
    spacing = dict(zip(like.origin, like.header["spacing"], strict=True))
    steps = change(shape, like)
    axes, scale, translation = [], [], []
    for name in letters:
        letter = {"y": "h", "x": "w"}.get(name, name)
        axes.append(described.get(letter, {"name": name, "type": kinds.get(name, "space")}))
        size, first = spacing.get(letter, (1.0, 0.0))
        step = steps.get(letter) if letter in "hw" else None
        scale.append(size if step is None else size / step.finer)
        translation.append(first if step is None else first + size * step.first)
    transformations: list[dict[str, Any]] = [{"type": "scale", "scale": scale}]
    if any(translation):
        transformations.append({"type": "translation", "translation": translation})
    return {
        "axes": axes,
        "datasets": [{"path": "0", "coordinateTransformations": transformations}],
    }


def _spacing(
    file: Path, scales: Mapping[str, Any], key: str, axes: int
) -> list[tuple[float, float]]:
    """The size of a pixel and the place of the first along each axis, as OME-Zarr declares them."""
    sizes, places = [1.0] * axes, [0.0] * axes
    own = [each for each in scales["datasets"] if str(each["path"]) == key]
    for holder in (*own, scales):  # those of a dataset come first
        for each in holder.get("coordinateTransformations", []):
            numbers = each.get(each["type"])
            if isinstance(numbers, Sequence) and len(numbers) != axes:
                raise Unfit(
                    f"{str(file)!r} must have a {each['type']} of {axes} numbers, one for each "
                    f"axis, got {len(numbers)}"
                )
            if each["type"] == "scale":
                sizes = [a * float(b) for a, b in zip(sizes, each["scale"], strict=True)]
                places = [a * float(b) for a, b in zip(places, each["scale"], strict=True)]
            if each["type"] == "translation":
                places = [a + float(b) for a, b in zip(places, each["translation"], strict=True)]
    return list(zip(sizes, places, strict=True))


def _recording(file: Path, values: Any, axes: str, header: dict[str, Any]) -> Recording:
    stored, chunks = values.nchunks_initialized, values.nchunks
    if stored < chunks and values.metadata.fill_value is None:
        raise Unfit(
            f"{str(file)!r} must store all of its {chunks} chunks, or declare a fill value, got "
            f"{stored}"
        )
    warn_of_missing(file, stored, chunks, values.fill_value)
    return Recording(values, axes, white=white_of(values.dtype), header=header)
