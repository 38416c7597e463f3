"""Acquisitions as ISMRMRD stores them (Inati et al. 2017, doi 10.1002/mrm.26089)."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np

from invscore.readers.base import Recording, Unfit, Wanted
from invscore.readers.memory_check import require_room
from invscore.readers.numbers import warn_of_spacing

NOISE, CALIBRATION, CALIBRATION_AND_IMAGE, NAVIGATION, PHASE = (
    1 << (flag - 1) for flag in (19, 20, 21, 23, 24)
)
STACKS = ("kspace_encode_step_2", "slice", "contrast", "phase", "repetition", "set")
LETTERS = "znepta"  # slices of partitions, slices, echoes, phases, repetitions in time, sets


def read(file: Path, opened: Any, held: list[str], wanted: Wanted) -> Recording | None:
    """Cartesian k-space of all lines, (coils, readout, phase encodings) and stacks; or None.

    Along any other trajectory, which the header then has, (coils, spokes, samples).

    Lines of noise, navigators and calibration alone are left out, repeated ones are averaged, and
    what was not measured is zero. Partitions are made slices where all of each line are measured,
    and are else k-space of three ``dimensions``, as the header then says. Raises ``Unfit`` for a
    trajectory that the file does not hold.
    """
    group = next((name.rpartition("/")[0] for name in held if _is_data(opened, name)), None)
    if group is None or wanted.key not in (None, f"{group}/data"):
        return None
    if f"{group}/xml" not in opened:
        raise Unfit(f"{str(file)!r} must hold a header {group}/xml beside {group}/data, got none")
    text, encoding = _header(file, opened[f"{group}/xml"])
    lines = opened[f"{group}/data"][()]
    heads = lines["head"]
    kept = (heads["flags"] & np.uint64(NOISE | NAVIGATION | PHASE)) == 0
    kept &= ((heads["flags"] & np.uint64(CALIBRATION)) == 0) | (
        (heads["flags"] & np.uint64(CALIBRATION_AND_IMAGE)) != 0
    )
    if not kept.any():
        raise Unfit(f"{str(file)!r} must hold lines of an image, got none")
    noise = _noise(lines, heads, kept)
    lines, heads = lines[kept], heads[kept]
    if encoding.trajectory != "cartesian":
        return _along_trajectory(file, lines, heads, encoding, text, noise)
    if len(coil_counts := sorted(set(heads["active_channels"].tolist()))) > 1:
        raise Unfit(f"{str(file)!r} must have as many coils in all its lines, got {coil_counts}")
    steps = {name: heads["idx"][name].astype(int) for name in ("kspace_encode_step_1", *STACKS)}
    steps["kspace_encode_step_1"] += encoding.rows // 2 - encoding.centre
    _require_fit(file, steps["kspace_encode_step_1"], heads["number_of_samples"], encoding)
    count = max(encoding.partitions, int(steps[STACKS[0]].max()) + 1)
    if count > 1:
        centre = encoding.partition_centre
        steps[STACKS[0]] += count // 2 - (count // 2 if centre is None else centre)
        _require_partitions(file, steps[STACKS[0]], count, centre)
    sizes = [count, *(int(steps[name].max()) + 1 for name in STACKS[1:])]
    coils, samples = int(heads["active_channels"].max()), int(heads["number_of_samples"].max())
    rows = encoding.rows or int(steps["kspace_encode_step_1"].max()) + 1
    require_room(file, (*sizes, coils, samples, rows), 2 * np.dtype(np.complex64).itemsize)
    values = np.zeros((*sizes, coils, samples, rows), dtype=np.complex64)
    times = np.zeros((*sizes, rows))
    for k, line in enumerate(lines):
        numbers = np.asarray(line["data"]).view(np.complex64).reshape(coils, -1)
        place = tuple(steps[name][k] for name in STACKS)
        row, width = steps["kspace_encode_step_1"][k], numbers.shape[1]
        # An echo that is not sampled as a whole begins late: its centre is in the middle.
        first = max(0, min(samples - width, samples // 2 - int(heads["center_sample"][k])))
        values[(*place, slice(None), slice(first, first + width), row)] += numbers
        times[(*place, row)] += 1
    values /= np.maximum(times, 1)[..., None, None, :]
    header: dict[str, Any] = {"key": "reconstruction", "attributes": {}, "noise": noise}
    if count > 1 and _whole_along_partitions(times > 0):
        values = _slices(values)
    elif count > 1:
        header["dimensions"] = 3
    header["texts"] = {"ismrmrd_header": text}
    return Recording(values, LETTERS + "chw", units="ISMRMRD", header=header)


def _whole_along_partitions(seen: Any) -> bool:
    """Whether all partitions (z, ...) of each line are measured, or none."""
    return bool((seen.all(axis=0) == seen.any(axis=0)).all())


def _slices(values: Any) -> Any:
    """Slices, each with a k-space of its own, of partitions (z, ...), their zero in the middle.

    The inverse transform along z is orthonormal, so that noise is as it was, and centred.
    """
    turned = np.fft.ifft(np.fft.ifftshift(values, axes=0), axis=0, norm="ortho")
    return np.fft.fftshift(turned, axes=0).astype(values.dtype)


def _require_partitions(file: Path, places: Any, count: int, centre: int | None) -> None:
    """Raise ``Unfit`` for partitions outside what the header says is encoded."""
    low, high = int(places.min()), int(places.max())
    if low < 0 or high >= count:
        raise Unfit(
            f"{str(file)!r} must hold partitions from 0 to {count - 1} about {centre} as its "
            f"header says, got {low} to {high}"
        )


def _header(file: Path, stored: Any) -> tuple[str, Encoding]:
    """The header of the file and what it says. Raises ``Unfit`` where that is nothing."""
    xml = stored[0] if stored.shape else stored[()]
    try:
        text = xml.decode() if isinstance(xml, bytes) else str(xml)
        encoding = Encoding(text)
    except (ElementTree.ParseError, ValueError) as error:
        raise Unfit(f"{str(file)!r} must have a header of ISMRMRD in XML, got {error}") from None
    warn_of_spacing(file, encoding.pixels)
    return text, encoding


def _require_fit(file: Path, places: Any, samples: Any, encoding: Encoding) -> None:
    """Raise ``Unfit`` for lines outside what the header says is encoded, or longer ones."""
    low, high = int(places.min()), int(places.max())
    if low < 0 or (encoding.rows and high >= encoding.rows):
        raise Unfit(
            f"{str(file)!r} must hold lines from 0 to {encoding.rows - 1} about {encoding.centre} "
            f"as its header says, got {low} to {high}"
        )
    if 0 < encoding.samples < int(samples.max()):
        raise Unfit(
            f"{str(file)!r} must hold lines of at most {encoding.samples} samples as its header "
            f"says, got {int(samples.max())}"
        )


def _noise(lines: Any, heads: Any, kept: Any) -> Any:
    """Samples without signal, (coils, n), of the bandwidth of the image's lines; or None."""
    coils = int(heads["active_channels"][kept].max())
    chosen = ((heads["flags"] & np.uint64(NOISE)) != 0) & (heads["active_channels"] == coils)
    if not chosen.any():
        return None
    parts = [np.asarray(d).view(np.complex64).reshape(coils, -1) for d in lines["data"][chosen]]
    dwell, own = float(heads["sample_time_us"][chosen][0]), float(heads["sample_time_us"][kept][0])
    factor = np.sqrt(dwell / own) if dwell > 0 and own > 0 else 1.0
    return (factor * np.concatenate(parts, axis=1)).astype(np.complex64)


def _along_trajectory(
    file: Path, lines: Any, heads: Any, encoding: Encoding, text: str, noise: Any
) -> Recording:
    """Samples (coils, spokes, samples) of one image, with their trajectory in the header."""
    several = [name for name in STACKS if len(set(heads["idx"][name].tolist())) > 1]
    if several:
        raise Unfit(
            f"{str(file)!r} must hold the samples of one image along a trajectory that is "
            f"{encoding.trajectory}, got several by {' and '.join(several)}"
        )
    sizes = {name: set(heads[name].tolist()) for name in ("active_channels", "number_of_samples")}
    dimensions = set(heads["trajectory_dimensions"].tolist())
    if any(len(size) > 1 for size in (*sizes.values(), dimensions)):
        raise Unfit(f"{str(file)!r} must have as many coils and samples in all its lines")
    if not dimensions & {2, 3}:
        raise Unfit(f"{str(file)!r} must hold its {encoding.trajectory} trajectory, got none")
    coils, samples = (size.pop() for size in sizes.values())
    if not coils * samples:
        raise Unfit(f"{str(file)!r} must hold samples, got none")
    require_room(file, (len(lines), coils, samples), 2 * np.dtype(np.complex64).itemsize)
    data = [np.asarray(line["data"]).view(np.complex64).reshape(coils, samples) for line in lines]
    paths = [np.asarray(line["traj"]).reshape(samples, -1) for line in lines]
    header: dict[str, Any] = {"key": "reconstruction", "attributes": {}}
    header |= {
        "texts": {"ismrmrd_header": text},
        "trajectory": np.stack(paths),
        "matrix": encoding.matrix,
        "noise": noise,
    }
    return Recording(np.stack(data, axis=1), "chw", units="ISMRMRD", header=header)


class Encoding:
    """Entries of the header on the first encoded space."""

    def __init__(self, xml: str) -> None:
        root = ElementTree.fromstring(xml)
        space = root.tag.rpartition("}")[0] + "}" if "}" in root.tag else ""

        def find(path: str, default: str) -> str:
            steps = "/".join(space + step for step in path.split("/"))
            return root.findtext(f"{space}encoding/{steps}", default)

        self.trajectory = find("trajectory", "cartesian").strip().lower()
        recon = [int(find(f"reconSpace/matrixSize/{axis}", "0")) for axis in "xy"]
        self.matrix = tuple(recon) if min(recon) > 0 else None
        self.samples = int(find("encodedSpace/matrixSize/x", "0"))
        self.rows = int(find("encodedSpace/matrixSize/y", "0"))
        fields = [find(f"encodedSpace/fieldOfView_mm/{axis}", "") for axis in "xy"]
        sizes = zip(fields, (self.samples, self.rows), strict=True)
        self.pixels = [float(field) / max(size, 1) for field, size in sizes if field]
        centre = find("encodingLimits/kspace_encoding_step_1/center", str(self.rows // 2))
        self.centre = int(centre)
        self.partitions = int(find("encodedSpace/matrixSize/z", "1"))
        centre = find("encodingLimits/kspace_encoding_step_2/center", "")
        self.partition_centre = int(centre) if centre else None
        least = min(
            *(self.samples, self.rows, self.centre, self.partitions, self.partition_centre or 0),
        )
        if least < 0:
            raise ValueError(f"a negative size or centre, {least}")


def _is_data(opened: Any, name: str) -> bool:
    return name.endswith("/data") and {"head", "data"} <= set(opened[name].dtype.names or ())
