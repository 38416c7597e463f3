"""BART's arrays: a text file .hdr of dimensions beside complex numbers in .cfl.

Dimensions are those of https://mrirecon.github.io/bart: read, phase 1, phase 2, coils, maps, ...
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from invscore.files import atomic_file
from invscore.readers.base import Array, Recording, Unfit, Wanted, as_float, single

AXES = "hwzcmekliftuvnab"
"""Letters of BART's 16 dimensions in order: t is TIME and n is SLICE."""


def read(file: Path, wanted: Wanted) -> Recording:
    """The array in NAME.cfl, complex64, of the dimensions in NAME.hdr."""
    single(file, wanted)
    header = file.with_suffix(".hdr")
    data = file.with_suffix(".cfl")
    for part in (header, data):
        if not part.is_file():
            raise Unfit(f"{str(file)!r} needs {part.name!r} beside it: no such file")
    lines = header.read_text("utf-8", errors="replace").splitlines()
    sizes = next((line.split() for line in lines if not line.startswith("#")), [])
    shape = tuple(int(size) for size in sizes if size.isdecimal())
    if not 0 < len(sizes) == len(shape) <= len(AXES) or min(shape) < 1:
        raise Unfit(
            f"{str(header)!r} must hold 1 to {len(AXES)} positive sizes, got {' '.join(sizes)!r}"
        )
    expected = 8 * int(np.prod(shape, dtype=object))
    if data.stat().st_size != expected:
        raise Unfit(f"{str(data)!r} must have {expected} bytes, got {data.stat().st_size}")
    values = np.memmap(data, np.complex64, "r", shape=shape, order="F")
    # Its second phase encodings and its slices (n) are two things: k-space along z is one of three.
    partitions = len(shape) > 2 and shape[2] > 1
    told = {"dimensions": 3} if partitions else None
    return Recording(values, AXES[: len(shape)], units="BART", header=told)


def write(file: Path, values: Array, like: Recording) -> None:  # noqa: ARG001
    """``values``, (c, h, w) or (c, d, h, w), as NAME.cfl and NAME.hdr."""
    volume = values if values.ndim == 4 else values[:, None]
    data = np.transpose(as_float(volume), (2, 3, 1, 0)).astype(np.complex64)
    sizes = (*data.shape, *(1 for _ in range(len(AXES) - data.ndim)))
    with atomic_file(file.with_suffix(".hdr")) as partial:
        partial.write_text(f"# Dimensions\n{' '.join(map(str, sizes))}\n", encoding="utf-8")
    with atomic_file(file.with_suffix(".cfl")) as partial:
        data.ravel(order="F").tofile(partial)
