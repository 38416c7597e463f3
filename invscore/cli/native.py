"""Results in the format of the file that was measured, with its header and in its units."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from invscore.images import MEASUREMENT_KEYS
from invscore.readers import Part, Recording, find_format, pick, read, write, written_names

MEAN, SPREAD = "reconstruction", "std"
NATIVE = (*written_names(MEAN), *written_names(SPREAD))
"""All files that ``Origin.write`` may make."""


@dataclass(frozen=True)
class Origin:
    """The file with the measurement, and what has been read from it."""

    file: Path
    recording: Recording

    def write(self, folder: Path, mean: Tensor, spread: Tensor | None) -> None:
        """The mean and the spread, images or volumes, as float32 or complex64; no others."""
        for name, image in ((MEAN, mean), (SPREAD, spread)):
            if image is not None and image.ndim == (4 if self.recording.depth else 3):
                write(folder / name, image.cpu().numpy(), self.recording, self.file)


def origin_of(measurement: str, part: Part) -> Origin | None:
    """The origin of a measurement in a format that has a writer and a header; or None.

    NPY files have no header: ``arrays.npz`` serves as well. What another ``reader`` reads has no
    writer.
    """
    file = Path(measurement)
    found = find_format(file)
    if found.writer() is None or found.name == "NPY" or part["reader"] is not None:
        return None
    recording = read(file, part["key"], MEASUREMENT_KEYS)
    which = (part["axes"], part["index"], part["volume"])
    return Origin(file, pick(recording, repr(measurement), *which))
