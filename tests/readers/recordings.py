"""Random numbers for files of all formats, read as measurements are and written like them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from invscore import readers

RANDOM = np.random.default_rng(0)
VOLUME = RANDOM.normal(size=(12, 10, 5)).astype(np.float32)
PLANE = VOLUME[..., 1].copy()
KSPACE = (RANDOM.normal(size=(5, 4, 12, 10)) + 1j * RANDOM.normal(size=(5, 4, 12, 10))).astype(
    np.complex64
)


def taken(file: Path, key: str | None = None, **part: Any) -> readers.Recording:
    """What a measurement in ``file`` is read as."""
    return readers.pick(readers.read(file, key, ("y", "measurement", "image")), repr(file), **part)


def again(file: Path, like: readers.Recording, values: np.ndarray) -> readers.Recording:
    """``values`` written as results of ``file`` are, and read."""
    written = readers.write(file.parent / "result", values, like, file)
    assert written is not None
    assert written.name in readers.written_names("result")
    return taken(written)


def check_round_trip(file: Path, like: readers.Recording, tolerance: float = 0.0) -> None:
    values = np.asarray(like.values)
    values = values if values.ndim == 3 else values[None]
    back = again(file, like, readers.as_numbers(values, "values", like.white))
    assert np.asarray(back.values).dtype.kind in "fc"
    np.testing.assert_allclose(
        np.asarray(back.values).reshape(values.shape), values, rtol=3e-7, atol=tolerance
    )
