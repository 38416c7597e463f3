"""DICOM, the files of radiology."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from invscore.files import atomic_file
from invscore.readers.base import Array, Recording, Unfit, Wanted, as_float, single
from invscore.readers.geometry import change
from invscore.readers.memory_check import require_room
from invscore.readers.numbers import warn_of_spacing

STEPS = 65535
RESCALED = 4 + 8 + 8
"""Bytes for each number: as stored, turned over, and in the units of the modality."""

PIXELS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")

SPACINGS = ("PixelSpacing", "ImagerPixelSpacing")
"""Elements that tell the size of pixels: rows apart, and columns."""

NEEDED = ("Rows", "Columns", "SamplesPerPixel", "BitsAllocated")
"""Elements without which pixels cannot be decoded."""

OF_STORAGE = (
    *("NumberOfFrames", "LossyImageCompression", "PlanarConfiguration", "WindowCenter"),
    *("WindowWidth", "SmallestImagePixelValue", "LargestImagePixelValue", "FloatPixelData"),
)
"""Elements on how the image was stored and shown, which are wrong for a result."""


def read(file: Path, wanted: Wanted) -> Recording:
    """The image or the frames in a DICOM file, in its units: Hounsfield's for CT.

    The modality's slope and intercept are applied, no window; where the least value is to be shown
    white (MONOCHROME1), values are turned over. Colours are shades of 8 or 16 bits.
    """
    import pydicom
    from pydicom.pixels import apply_rescale

    single(file, wanted)
    require_room(file, (file.stat().st_size,), 1)
    dataset = pydicom.dcmread(file)
    if not set(PIXELS) & set(dataset.dir()):
        kind = dataset.get("Modality", "unknown")
        raise Unfit(f"{str(file)!r} must hold an image, got modality {kind} without pixels")
    if not any(dataset.get(name) for name in PIXELS):
        raise Unfit(f"{str(file)!r} must hold an image, got no bytes of pixels")
    if missing := [name for name in NEEDED if dataset.get(name) is None]:
        raise Unfit(f"{str(file)!r} must tell {missing[0]} of its image, got none")
    samples, count = int(dataset.SamplesPerPixel), int(dataset.get("NumberOfFrames", 1) or 1)
    require_room(file, (count, int(dataset.Rows), int(dataset.Columns), samples), RESCALED)
    for name in SPACINGS:
        if dataset.get(name):
            warn_of_spacing(file, [float(size) for size in dataset[name].value])
    values = dataset.pixel_array
    colour, frames = samples > 1, count > 1
    axes = ("z" if frames else "") + "hw" + ("c" if colour else "")
    if colour:
        return Recording(values, axes, 2.0 ** int(dataset.BitsStored) - 1, header=dataset)
    if str(dataset.get("PhotometricInterpretation", "")) == "MONOCHROME1":
        signed = int(dataset.get("PixelRepresentation", 0))
        values = (-1 if signed else 2 ** int(dataset.BitsStored) - 1) - values.astype(np.int64)
    values = np.asarray(apply_rescale(values, dataset))
    units = str(dataset.get("RescaleType", "") or ("HU" if dataset.get("Modality") == "CT" else ""))
    return Recording(values, axes, units=units or "DICOM", header=dataset)


def write(file: Path, values: Array, like: Recording) -> None:
    """One frame derived from that of ``like``, in its units.

    DICOM has no floats that viewers show: 16 bits and a slope keep 1 / 65535 of their range.
    Complex values are written by magnitude.
    """
    from copy import deepcopy

    from pydicom.uid import ExplicitVRLittleEndian, generate_uid

    image = as_float(values)
    image = np.abs(image) if image.dtype.kind == "c" else image
    low, high = (float(image.min()), float(image.max()))
    slope = (high - low) / STEPS or 1.0
    stored = np.round((image - low) / slope).astype(np.uint16)
    made: Any = deepcopy(like.header)
    for name in OF_STORAGE:
        if name in made:
            delattr(made, name)
    made.Rows, made.Columns = stored.shape[-2:]
    if stored.ndim == 4:
        made.NumberOfFrames = stored.shape[1]
    colour = len(stored) == 3
    if not colour:
        made.RescaleSlope, made.RescaleIntercept = f"{slope:.10g}"[:16], f"{low:.10g}"[:16]
        made.RescaleType = like.units if like.units != "DICOM" else "US"
    else:
        stored = np.round(image / (like.white or 1.0) * STEPS).clip(0, STEPS).astype(np.uint16)
    made.SamplesPerPixel = 3 if colour else 1
    made.PhotometricInterpretation = "RGB" if colour else "MONOCHROME2"
    if colour:
        made.PlanarConfiguration = 0
    made.BitsAllocated, made.BitsStored, made.HighBit = 16, 16, 15
    made.PixelRepresentation = 0
    if "PixelSpacing" in made:
        changes = change(stored.shape, like)
        tall, wide = made.PixelSpacing
        made.PixelSpacing = [
            float(tall) / changes["h"].finer,
            float(wide) / changes["w"].finer,
        ]
    made.ImageType = ["DERIVED", "SECONDARY"]
    made.SOPInstanceUID = generate_uid()
    made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.PixelData = np.moveaxis(stored, 0, -1).tobytes() if colour else stored[0].tobytes()
    made["PixelData"].VR = "OW"
    with atomic_file(file) as partial:
        made.save_as(partial, enforce_file_format=True)
