"""Images in and out: files, arrays and sample images as float32 tensors (c, h, w) in [0, 1]."""

from __future__ import annotations

import struct
import tokenize
import zipfile
import zlib
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tifffile
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from invscore.files import atomic_file

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
ARRAY_SUFFIXES = (".npy", ".npz")
TIFF_SUFFIXES = (".tif", ".tiff")

_DAMAGED = (
    OSError,
    ValueError,
    SyntaxError,
    RecursionError,
    tokenize.TokenError,
    EOFError,
    MemoryError,
    struct.error,
    zlib.error,
    zipfile.BadZipFile,
    tifffile.TiffFileError,
    Image.DecompressionBombError,
)
"""What Pillow, tifffile and NumPy raise on files that are not what their names say."""


def load_image(path_or_name: str | Path) -> Tensor:
    """The image in a file, or a sample image of scikit-image: float32 (c, h, w) with c 1 or 3.

    Files are PNG, JPEG (turned as their EXIF orientation says), TIFF and whatever else Pillow
    reads, NPY, or NPZ with an array ``image``, ``y``, ``x`` or a single one. Unsigned integers of 8
    and 16 bits are divided by the largest of their type, so that images lie in [0, 1]; other
    numbers are taken as they are, and complex arrays stay complex (complex64). Transparent pixels
    show white behind them. Arrays are (h, w), (h, w, c) or (c, h, w). Pillow reads 16-bit colour
    PNG as 8 bits.

    Raises ``ValueError`` for anything else: an unknown name, a damaged file, NaN, an odd shape.
    """
    file = _find(path_or_name)
    array = _read_array(file, IMAGE_KEYS) if _is_array(file) else _read_picture(file)
    return as_image(array, repr(str(path_or_name)))


def load_measurement(path: str | Path) -> Tensor:
    """The measurement in a file: an array of any shape as it is, an image as ``load_image`` has it.

    NPZ files hold it as ``y``, ``measurement``, ``image`` or a single array. Raises ``ValueError``
    like ``load_image``.
    """
    file = Path(path)
    if not _is_array(file):
        return load_image(_existing(file))
    array = _read_array(_existing(file), MEASUREMENT_KEYS)
    return _as_tensor(array, repr(str(path)))


def sample_names() -> list[str]:
    """The sample images that the installed scikit-image carries, without any download."""
    folder = resources.files("skimage.data")
    return [name for name, file in SAMPLES.items() if folder.joinpath(file).is_file()]


def is_sample(path_or_name: str | Path) -> bool:
    """Whether ``load_image`` takes this for the name of a sample image: a file comes first."""
    return str(path_or_name) in SAMPLES and not Path(path_or_name).is_file()


def as_image(array: Array | Tensor, name: str = "the image") -> Tensor:
    """``array`` as a tensor (c, h, w), c 1 or 3, in the units of ``load_image``.

    A leading axis of length one, a batch of one, is dropped. Raises ``ValueError``, speaking of
    ``name``, where the shape is no image's or the values are not finite.
    """
    image = _as_tensor(np.asarray(array), name)
    shape = tuple(image.shape)
    if image.ndim == 4 and shape[0] == 1:
        image = image[0]
    if image.ndim == 2:
        image = image[None]
    if image.ndim == 3 and image.shape[0] not in (1, 3) and image.shape[2] in (1, 3, 4):
        image = image.movedim(2, 0)
    if image.ndim == 3 and image.shape[0] == 4:
        image = over_white(image)
    if image.ndim != 3 or image.shape[0] not in (1, 3):
        raise ValueError(
            f"{name} must have shape (h, w), (h, w, 3) or (3, h, w) as an image, got {shape}"
        )
    return image.contiguous()


def over_white(image: Tensor) -> Tensor:
    """The colours of (c + 1, h, w), whose last channel is their opacity, in front of white."""
    colour, alpha = image[:-1], image[-1:]
    return alpha * colour + (1 - alpha)


def to_gray(image: Tensor) -> Tensor:
    """The luminance of (3, h, w) with the weights of ITU-R BT.601, as (1, h, w)."""
    if image.shape[0] == 1:
        return image
    weights = torch.tensor([0.299, 0.587, 0.114], dtype=image.dtype, device=image.device)
    return torch.tensordot(weights, image, 1)[None]


def crop_and_shrink(image: Tensor, size: int) -> Tensor:
    """The central ``size`` x ``size`` pixels of (c, h, w), its shorter side shrunk to ``size``.

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
    if not bool(real.isfinite().all()):
        raise ValueError("the image must be finite, got NaN or infinite values")
    pixels = (real.clamp(0, 1) * 255).round().to(torch.uint8).movedim(0, -1).numpy()
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
        return _existing(file)
    names = sample_names()
    if name not in names:
        raise ValueError(
            f"image {name!r} is neither a file nor a sample: the samples are {', '.join(names)}"
        )
    with resources.as_file(resources.files("skimage.data").joinpath(SAMPLES[name])) as sample:
        return sample


def _existing(file: Path) -> Path:
    if file.is_dir():
        raise ValueError(f"{str(file)!r} must be a file, got a folder")
    if not file.exists():
        raise ValueError(f"{str(file)!r}: no such file")
    if file.stat().st_size == 0:
        raise ValueError(f"{str(file)!r} is empty")
    return file


def _is_array(file: Path) -> bool:
    return file.suffix.lower() in ARRAY_SUFFIXES


def _read_array(file: Path, keys: Sequence[str]) -> Array:
    kind = file.suffix[1:].upper()
    try:
        # Objects would have to be unpickled, which can run any code: NumPy refuses.
        loaded = np.load(file, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return loaded
        with loaded:
            named = [key for key in keys if key in loaded.files]
            single = loaded.files if len(loaded.files) == 1 else []
            if not (names := named or single):
                raise _WrongContent(
                    f"{str(file)!r} must hold a single array, or one named "
                    f"{', '.join(keys[:-1])} or {keys[-1]}, got "
                    f"{', '.join(loaded.files) or 'no arrays'}"
                )
            return loaded[names[0]]
    except _WrongContent:
        raise
    except _DAMAGED as error:
        if "pickle" in str(error) and not _starts_as_npy(file):
            raise _WrongContent(
                f"{str(file)!r} cannot be read as {kind}: it is no NumPy file"
            ) from None
        if "Object arrays" in str(error):
            raise ValueError(
                f"{str(file)!r} must hold an array of numbers, got Python objects, which are "
                "never unpickled"
            ) from None
        raise ValueError(f"{str(file)!r} cannot be read as {kind}: {_reason(error)}") from error


def _starts_as_npy(file: Path) -> bool:
    """Whether NumPy wrote it: NumPy takes a file that starts otherwise for a pickle."""
    with file.open("rb") as opened:
        return opened.read(len(np.lib.format.MAGIC_PREFIX)) == np.lib.format.MAGIC_PREFIX


def _read_picture(file: Path) -> Array:
    try:
        if file.suffix.lower() in TIFF_SUFFIXES and (array := _read_tiff(file)) is not None:
            return array
        with Image.open(file) as opened:
            if getattr(opened, "is_animated", False) and opened.format != "MPO":
                raise _WrongContent(f"{str(file)!r} must hold a single image, got several")
            return _pixels(ImageOps.exif_transpose(opened))
    except _WrongContent:
        raise
    except _DAMAGED as error:
        raise ValueError(f"{str(file)!r} cannot be read as an image: {_reason(error)}") from error


def _read_tiff(file: Path) -> Array | None:
    """The array of a plain TIFF, or None where Pillow knows better (palettes, LZW, orientation)."""
    with tifffile.TiffFile(file) as tiff:
        page = tiff.pages.first
        plain = page.photometric in (tifffile.PHOTOMETRIC.MINISBLACK, tifffile.PHOTOMETRIC.RGB)
        upright = "Orientation" not in page.tags or page.tags["Orientation"].value == 1
        deflated = (1, 8, 32946)  # uncompressed, and two codes for deflate
        return tiff.asarray() if plain and upright and page.compression in deflated else None


def _pixels(image: Image.Image) -> Array:
    """The pixels of a Pillow image of any mode: (h, w) or (h, w, 3)."""
    if image.mode.startswith("I"):
        return np.asarray(image).clip(0, 65535).astype(np.uint16)
    if image.mode == "F":
        return np.asarray(image)
    gray = image.mode in ("1", "L", "LA", "La")
    if image.has_transparency_data:
        rgba = torch.from_numpy(np.array(image.convert("RGBA"))).movedim(2, 0) / 255
        return over_white(rgba[-2:] if gray else rgba).movedim(0, 2).numpy()
    return np.asarray(image.convert("L" if gray else "RGB"))


def _as_tensor(array: Array, name: str) -> Tensor:
    if array.ndim == 0 or array.size == 0:
        raise ValueError(f"{name} must have at least one pixel, got the shape {array.shape}")
    kind = array.dtype.kind
    if array.dtype in (np.uint8, np.uint16):  # wider integers are counts, not shades of gray
        tensor = torch.from_numpy((array / np.iinfo(array.dtype).max).astype(np.float32))
    elif kind in "buif":
        tensor = torch.from_numpy(array.astype(np.float32))
    elif kind == "c":
        tensor = torch.from_numpy(array.astype(np.complex64))
    else:
        raise ValueError(f"{name} must be an array of numbers, got dtype {array.dtype}")
    if not bool(tensor.isfinite().all()):
        raise ValueError(f"{name} must be finite, got NaN or infinite values")
    return tensor


def _reason(error: BaseException) -> str:
    """Why, in a few words, without the path that Pillow and the operating system repeat."""
    if isinstance(error, UnidentifiedImageError):
        return "it is in no known image format"
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join(reason.split()).rstrip(".")


class _WrongContent(ValueError):
    """A sound file that holds something else: its message is already a sentence."""
