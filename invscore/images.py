"""Images in and out: files, arrays and sample images as float32 tensors (c, h, w) in [0, 1]."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Any, Unpack

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from invscore.batches import all_finite
from invscore.files import atomic_file
from invscore.readers import (
    Index,
    Part,
    Recording,
    as_numbers,
    find_format,
    pick,
    read,
    warn_of_range,
    white_of,
)

Array = npt.NDArray[Any]

SAMPLES = {
    "astronaut": "astronaut.png",
    "brick": "brick.png",
    "camera": "camera.png",
    "cat": "chelsea.png",
    "cell": "cell.png",
    "chelsea": "chelsea.png",
    "clock": "clock_motion.png",
    "coffee": "coffee.png",
    "coins": "coins.png",
    "grass": "grass.png",
    "gravel": "gravel.png",
    "horse": "horse.png",
    "hubble_deep_field": "hubble_deep_field.jpg",
    "immunohistochemistry": "ihc.png",
    "microaneurysms": "microaneurysms.png",
    "moon": "moon.png",
    "motorcycle_left": "motorcycle_left.png",
    "page": "page.png",
    "retina": "retina.jpg",
    "rocket": "rocket.jpg",
    "text": "text.png",
}
"""Sample images of scikit-image by the name of the function that returns them, or of the file."""

IMAGE_KEYS = ("image", "y", "x")
MEASUREMENT_KEYS = ("y", "measurement", "image")


def load_image(
    path_or_name: str | Path,
    *,
    key: str | None = None,
    axes: str | None = None,
    index: Index | None = None,
    reader: str | None = None,
    volume: str | None = None,
) -> Tensor:
    """The image in a file, or a sample image of scikit-image: float32 or complex64 (c, h, w).

    Files are those that ``invscore.readers`` knows: pictures (turned as their EXIF orientation
    says), TIFF, NPY, NPZ and the formats of instruments. Unsigned integers of 8 and 16 bits, of
    whatever byte order, are divided by the largest of their type, so that shades of gray lie in
    [0, 1]; all other numbers, and those of a format with units of its own, are taken as they are.
    Complex arrays stay complex. Transparent pixels, of a file that declares them, show white
    behind them. Arrays have any number of channels, (h, w), (c, h, w) or (h, w, c): unless the file
    or ``axes`` ("zhwc": h rows, w columns, c channels, others a stack) says which axis they are on,
    it is the first or else the last of length 1 or 3, or the shorter of the two.

    ``key``: which array of a file of several; ``image``, ``y``, ``x`` or a single one by default.
    ``index``: which image of a stack, a number for each of its axes, or a number by axis.
    ``reader``: ``file.py:name``, a function of a path that returns an array, for other formats.
    ``volume``: the axis of a stack, such as z, whose images are slices of a volume (c, d, h, w).
    Warns of values that look like 0 to 255, or of fewer bits than their type.

    Raises ``ValueError`` for anything else: an unknown name, a damaged file, NaN, a stack of images
    without ``index``, an odd shape.
    """
    file, name = _find(path_or_name), repr(str(path_or_name))
    recording = pick(read(file, key, IMAGE_KEYS, reader), name, axes, index, volume)
    numbers = _numbers(recording, name)
    image = as_image(numbers, name, axes=recording.axes, depth=recording.depth)
    return image if recording.opacity is None else _over_white(image, recording.opacity)


def load_measurement(
    path: str | Path,
    *,
    key: str | None = None,
    axes: str | None = None,
    index: Index | None = None,
    reader: str | None = None,
    volume: str | None = None,
) -> Tensor:
    """The measurement in a file: an array of any shape as it is, a picture as ``load_image``.

    Of several arrays it is ``y``, ``measurement``, ``image`` or a single one by default. Values
    follow the rule of ``load_image``; NaN, which may mark what was not measured, stays. Raises
    ``ValueError`` like ``load_image``.
    """
    return read_measurement(path, key=key, axes=axes, index=index, reader=reader, volume=volume)[0]


def read_measurement(
    path: str | Path, *, shades: bool = True, **part: Unpack[Part]
) -> tuple[Tensor, str]:
    """The array that ``load_measurement`` loads, and a letter for each axis that is known.

    ``shades``: whether numbers are shades of gray, of which those of another range are spoken of.
    """
    file, name = Path(path), repr(str(path))
    which = (part.get("axes"), part.get("index"), part.get("volume"))
    recording = read(file, part.get("key"), MEASUREMENT_KEYS, part.get("reader"))
    recording = pick(recording, name, *which)
    numbers = _numbers(recording, name, shades)
    if not find_format(file).picture or part.get("reader") is not None:
        return torch.from_numpy(numbers), recording.axes
    image = as_image(numbers, name, axes=recording.axes, finite=False, depth=recording.depth)
    return image if recording.opacity is None else _over_white(
        image, recording.opacity
    ), f"c{recording.depth}hw"


def transparent(path: str | Path) -> bool:
    """Whether the file is a picture that declares an opacity and has pixels without it."""
    file = Path(path)
    if not find_format(file).picture:
        return False
    opacity = read(file).opacity
    return opacity is not None and float(opacity.min()) < 1


def sample_names() -> list[str]:
    """The sample images that the installed scikit-image carries, without any download."""
    folder = resources.files("skimage.data")
    return [name for name, file in SAMPLES.items() if folder.joinpath(file).is_file()]


def is_sample(path_or_name: str | Path) -> bool:
    """Whether ``load_image`` takes this for the name of a sample image: a file comes first."""
    return str(path_or_name) in SAMPLES and not Path(path_or_name).is_file()


def as_image(
    array: Array | Tensor,
    name: str = "the image",
    *,
    axes: str = "",
    finite: bool = True,
    depth: str = "",
) -> Tensor:
    """``array`` as a tensor (c, h, w) in the units of ``load_image``.

    ``axes`` says what its axes are: "hw" or "chw". Where it does not, channels are on the first or
    else the last of three axes if its length is 1 or 3, or else on the shorter of the two, and a
    leading axis of length one, a batch of one, is dropped. ``depth`` is the letter of an axis of
    slices: the array is a volume then, (c, d, h, w). Raises ``ValueError``, speaking of
    ``name``, where the shape is no image's or, unless ``finite`` is false, a value is not finite.
    """
    if isinstance(array, Tensor):
        array = array.detach().cpu().resolve_conj().resolve_neg().numpy()
    values = as_numbers(array, name, white_of(getattr(array, "dtype", float)))
    shape = values.shape
    if axes not in ("", f"{depth}hw", f"c{depth}hw"):
        stack = "".join(letter for letter in axes if letter not in "chw")
        raise ValueError(
            f"{name} holds several images, of shape "
            f"({', '.join(f'{a}={n}' for a, n in zip(axes, shape, strict=True))}): index must say "
            f"which, along {' and '.join(stack)}"
        )
    if not axes and values.ndim == 4 and shape[0] == 1:
        values = values[0]
    if values.ndim == (3 if depth else 2):
        values = values[None]
    if values.ndim != (4 if depth else 3):
        raise ValueError(
            f"{name} must be an image (h, w), (c, h, w) or (h, w, c), got {shape}: index "
            "chooses from a stack, axes says what the axes are"
        )
    if not axes and _channels_last(*values.shape):
        values = np.moveaxis(values, 2, 0)
    if finite and not np.isfinite(values).all():
        raise ValueError(f"{name} must be finite, got NaN or infinite values")
    return torch.from_numpy(np.ascontiguousarray(values))


def to_gray(image: Tensor) -> Tensor:
    """The luminance of (3, h, w) with the weights of ITU-R BT.601, as (1, h, w).

    Raises ``ValueError`` for other channels than one or three.
    """
    if image.shape[0] == 1:
        return image
    if image.shape[0] != 3:
        raise ValueError(f"the image must have 1 or 3 channels to become gray, got {len(image)}")
    weights = torch.tensor([0.299, 0.587, 0.114], dtype=image.dtype, device=image.device)
    return torch.tensordot(weights, image, 1)[None]


def crop_and_shrink(image: Tensor, size: int) -> Tensor:
    """The central ``size`` x ``size`` pixels of (c, h, w), its shorter side shrunk to ``size``.

    Of a volume, (c, d, h, w), each slice.

    Shrinking is bicubic with anti-aliasing, clipped to the range of the image. Raises
    ``ValueError`` when the image is smaller than ``size``.
    """
    height, width = image.shape[-2:]
    shorter = min(height, width)
    if not 0 < size <= shorter:
        raise ValueError(
            f"`size` must lie in [1, {shorter}] for an image of {height} x {width} pixels, "
            f"got {size}"
        )
    if image.ndim == 4:
        return torch.stack([crop_and_shrink(each, size) for each in image.unbind(1)], dim=1)
    if image.is_complex():
        parts = [crop_and_shrink(part, size) for part in (image.real, image.imag)]
        return torch.complex(*parts)
    if shorter > size:
        target = [round(side * size / shorter) for side in (height, width)]
        small = torch.nn.functional.interpolate(image[None], target, mode="bicubic", antialias=True)
        image = small[0].clamp(image.min(), image.max())
    top, left = ((side - size) // 2 for side in image.shape[-2:])
    return image[:, top : top + size, left : left + size].contiguous()


def to_uint8(image: Tensor) -> npt.NDArray[np.uint8]:
    """(c, h, w) in [0, 1] as bytes (h, w) or (h, w, 3): clipped, complex numbers by magnitude."""
    if image.ndim != 3 or image.shape[0] not in (1, 3):
        raise ValueError(f"the image must have shape (1 or 3, h, w), got {tuple(image.shape)}")
    real = (image.abs() if image.is_complex() else image).detach().cpu().float()
    if not all_finite(real):
        raise ValueError("the image must be finite, got NaN or infinite values")
    shades = real.clamp(0, 1).mul_(255).round_()
    pixels = shades.to(torch.uint8).movedim(0, -1).numpy()
    return pixels[..., 0] if len(image) == 1 else pixels


def save_image(path: str | Path, image: Tensor) -> None:
    """Write (c, h, w) in [0, 1] as a PNG of 8 bits: either the whole file appears or none.

    Values are clipped, complex numbers shown by magnitude. Raises ``ValueError`` for another
    suffix than ``.png``, another shape, or values that are not finite.
    """
    path = Path(path)
    if path.suffix.lower() != ".png":
        raise ValueError(f"an image file must have the suffix .png, got {str(path)!r}")
    pixels = to_uint8(image)
    with atomic_file(path) as partial:
        Image.fromarray(pixels).save(partial, format="PNG")


def _find(path_or_name: str | Path) -> Path:
    file, name = Path(path_or_name), str(path_or_name)
    if file.exists() or file.suffix or len(file.parts) != 1:
        return file
    names = sample_names()
    if name not in names:
        raise ValueError(
            f"image {name!r} is neither a file nor a sample: the samples are {', '.join(names)}"
        )
    with resources.as_file(resources.files("skimage.data").joinpath(SAMPLES[name])) as sample:
        return sample


def _channels_last(first: int, rows: int, last: int) -> bool:  # noqa: ARG001
    usual = (1, 3)
    return first not in usual and (last in usual or last < first)


def _numbers(recording: Recording, name: str, shades: bool = True) -> Array:
    values = np.asarray(recording.values)
    if shades:
        warn_of_range(recording, values, name)
    return as_numbers(values, name, recording.white)


def _over_white(image: Tensor, opacity: Array) -> Tensor:
    """(c, h, w) of that ``opacity``, (h, w), in front of white."""
    alpha = torch.from_numpy(opacity.astype(np.float32))
    return alpha * image + (1 - alpha)
