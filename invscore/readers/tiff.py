"""TIFF and OME-TIFF, of any depth and number of pages."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import tifffile
from PIL import Image, ImageOps

from invscore.files import atomic_file
from invscore.readers.base import Array, Recording, Unfit, Wanted, as_float
from invscore.readers.geometry import Change, as_in_file, change
from invscore.readers.memory_check import require_room
from invscore.readers.numbers import warn_of_spacing, white_of
from invscore.readers.picture import PIXEL, as_recording

logging.getLogger("tifffile").addHandler(logging.NullHandler())  # damage is said in a sentence

LETTERS = {"Y": "h", "X": "w", "S": "c"}
ASSOCIATED, UNASSOCIATED = 1, 2
PHOTOMETRIC = tifffile.PHOTOMETRIC
PLAIN = (
    PHOTOMETRIC.MINISBLACK,
    PHOTOMETRIC.MINISWHITE,
    PHOTOMETRIC.RGB,
    PHOTOMETRIC.PALETTE,
)
"""Colour spaces that tifffile reads; Pillow converts the others."""


def read(file: Path, wanted: Wanted) -> Recording:
    """The image or stack of images in a TIFF file, its axes as the file declares them.

    Several pages are a stack (axis z, t, or q where the file does not say), never channels. A
    fourth sample is an opacity only where the file declares one. Of several series, ``key`` says
    which, from 0. Raises ``Unfit`` for a series that is not there or is asked for in vain.
    """
    with _damage() as told, tifffile.TiffFile(file) as tiff:
        count = len(tiff.pages)
        if any("invalid page offset" in each for each in told):
            raise Unfit(f"{str(file)!r} cannot be read as TIFF: it is cut off after {count} pages")
        series = _series(file, tiff, wanted)
        page = series.keyframe
        if _needs_pillow(page):
            if len(series.pages) > 1:
                raise Unfit(
                    f"{str(file)!r} has several pages compressed as {page.compression.name}: the "
                    "package imagecodecs is needed (pip install 'invscore[files]')"
                )
            with Image.open(file) as opened:
                require_room(file, opened.size[::-1], PIXEL)
                return as_recording(ImageOps.exif_transpose(opened))
        require_room(file, series.shape, series.dtype.itemsize)
        values = series.asarray()
        axes = "".join(LETTERS.get(letter, letter.lower()) for letter in series.axes)
        header = {"tags": _resolution(page), "ome": _ome(tiff), "imagej": _imagej(tiff)}
        header["letters"] = series.axes
        white = white_of(values.dtype)
        if white is not None and page.bitspersample < 8 * values.dtype.itemsize:
            white = 2.0**page.bitspersample - 1
        if page.photometric == PHOTOMETRIC.PALETTE and page.colormap is not None:
            # (3, entries) of 16 bits, of which some programs fill the upper eight alone.
            values = np.moveaxis((page.colormap >> 8)[:, values], 0, -1)
            axes, white, header["letters"] = axes + "c", 255.0, series.axes + "S"
        elif page.photometric == PHOTOMETRIC.MINISWHITE and white is not None:
            values = (np.array(white, values.dtype) - values).astype(values.dtype)
    sizes = [size for name, size in header["ome"].items() if not name.endswith("Unit")]
    warn_of_spacing(file, sizes)
    turn = page.tags.get("Orientation")
    if turn is not None and turn.value != 1:
        values = _upright(values, axes, int(turn.value))
    values, opacity = _apart(values, axes, page, white)
    return Recording(values, axes, white, opacity=opacity, header=header)


def write(file: Path, values: Array, like: Recording) -> None:
    """``values``, (c, h, w), or (c, d, h, w), as float32 with the size of the pixels of ``like``.

    OME-TIFF has the axes of the file, an image from a stack being one of length one; ImageJ's its
    unit; what else there is has the resolution in its tags.
    """
    image, steps = as_float(values), change(values.shape, like)
    header = like.header or {"tags": {}, "ome": {}, "imagej": {}, "letters": ""}
    colour, options = False, dict[str, Any]()
    if header["ome"] and len(header["letters"]) == len(like.origin):
        image = as_in_file(image, like)
        axes = "C" * (image.ndim - len(like.origin)) + header["letters"]
        sizes, colour = dict(header["ome"]), axes.endswith("S")
        for letter in "hw":
            name = f"PhysicalSize{header['letters'][like.origin.index(letter)]}"
            if name in sizes:
                sizes[name] /= steps[letter].finer
        options = {"ome": True, "metadata": {"axes": axes, **sizes}}
    elif header["imagej"]:
        axes = ("T" if like.depth == "t" else "Z") + "CYX" if image.ndim == 4 else "CYX"
        image = np.moveaxis(image, 1, 0) if image.ndim == 4 else image
        options = {"imagej": True, "metadata": {"axes": axes, **header["imagej"]}}
        options |= _finer(header["tags"], steps)
    else:
        image = image[0] if len(image) == 1 else image
        colour = len(image) == 3 and image.ndim == 3
        image = np.moveaxis(image, 0, -1) if colour else image
        options = _finer(header["tags"], steps)
    with atomic_file(file) as partial:
        photometric = "rgb" if colour else "minisblack"
        tifffile.imwrite(partial, image, photometric=photometric, **options)


@contextmanager
def _damage() -> Iterator[list[str]]:
    """Complaints of tifffile about a file that it goes on to read as far as it is there."""
    told: list[str] = []

    class Kept(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            told.append(record.getMessage())

    handler = Kept(logging.ERROR)
    logging.getLogger("tifffile").addHandler(handler)
    try:
        yield told
    finally:
        logging.getLogger("tifffile").removeHandler(handler)


def _series(file: Path, tiff: tifffile.TiffFile, wanted: Wanted) -> Any:
    count = len(tiff.series)
    if wanted.key is None:
        if count != 1:
            raise Unfit(
                f"{str(file)!r} holds {count} series of images: key must be from 0 to {count - 1}"
            )
        return tiff.series[0]
    if not wanted.key.isdecimal() or int(wanted.key) >= count:
        raise Unfit(
            f"key must be the number of a series, from 0 to {count - 1}, got {wanted.key!r}: "
            f"{str(file)!r} holds {count}"
        )
    return tiff.series[int(wanted.key)]


def _needs_pillow(page: Any) -> bool:
    """Whether the colours are Pillow's affair, or tifffile lacks what decompresses the page."""
    deflated = (1, 8, 32946)  # uncompressed, and two codes for deflate
    packed = page.bitspersample not in (1, 8, 16, 32, 64)
    plain = page.photometric in PLAIN
    return not plain or ((page.compression not in deflated or packed) and not _has_codecs())


def _has_codecs() -> bool:
    return find_spec("imagecodecs") is not None


def _upright(values: Array, axes: str, orientation: int) -> Array:
    """Rows from top to bottom and columns from left to right, as orientation 2 to 8 asks for."""
    place = axes.index("h"), axes.index("w")
    image = np.moveaxis(values, place, (0, 1))
    if orientation in (5, 6, 7, 8):
        image = image.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        image = image[::-1]
    if orientation in (2, 3, 6, 7):
        image = image[:, ::-1]
    return np.moveaxis(image, (0, 1), place)


def _apart(values: Array, axes: str, page: Any, white: float | None) -> tuple[Array, Array | None]:
    """Colours, and the opacity (h, w) in [0, 1] if the file declares that there is one."""
    kinds = [int(kind) for kind in page.extrasamples]
    declared = [k for k, kind in enumerate(kinds) if kind in (ASSOCIATED, UNASSOCIATED)]
    if not declared or page.axes.count("S") != 1 or "c" not in axes:
        return values, None
    samples = values.shape[axes.index("c")]
    place = samples - len(kinds) + declared[0]
    last = np.moveaxis(values, axes.index("c"), -1)
    alpha = last[..., place] / (white or 1.0)
    colours = np.delete(last, place, axis=-1)
    if kinds[declared[0]] == ASSOCIATED:  # the colours have been multiplied by it
        straight = colours / np.maximum(alpha, 1e-12)[..., None]
        colours = np.minimum(straight, white or 1.0) if white else straight
        colours = np.where(alpha[..., None] > 0, colours, 0)
    return np.moveaxis(colours, -1, axes.index("c")), alpha if alpha.ndim == 2 else None


def _resolution(page: Any) -> dict[str, Any]:
    """Pixels a unit across and down, and the unit; nothing where it is not told."""
    tags = page.tags
    if "XResolution" not in tags or "YResolution" not in tags:
        return {}
    unit = tags["ResolutionUnit"].value if "ResolutionUnit" in tags else 1
    found = [tags[name].value for name in ("XResolution", "YResolution")]
    if not all(number > 0 and over > 0 for number, over in found):
        return {}
    return {"resolution": tuple(a / b for a, b in found), "resolutionunit": int(unit)}


def _finer(tags: Mapping[str, Any], steps: Mapping[str, Change]) -> dict[str, Any]:
    """The resolution of pixels that are as much finer."""
    if not tags:
        return {}
    across, down = tags["resolution"]
    return {**tags, "resolution": (across * steps["w"].finer, down * steps["h"].finer)}


def _imagej(tiff: tifffile.TiffFile) -> dict[str, Any]:
    """ImageJ's facts of pixels beside their resolution; empty where another program wrote."""
    found = tiff.imagej_metadata or {} if tiff.is_imagej else {}
    return {name: found[name] for name in ("unit", "spacing", "finterval") if name in found}


def _ome(tiff: tifffile.TiffFile) -> dict[str, Any]:
    """The size of a pixel and its unit, as OME-TIFF declares them."""
    if not tiff.is_ome or not tiff.ome_metadata:
        return {}
    for element in ElementTree.fromstring(tiff.ome_metadata).iter():
        if element.tag.endswith("}Pixels"):
            sizes = {k: v for k, v in element.attrib.items() if k.startswith("PhysicalSize")}
            return {k: v if k.endswith("Unit") else float(v) for k, v in sizes.items()}
    return {}
