"""Tomography as Data Exchange stores it (De Carlo et al. 2014, doi 10.1107/S160057751401604X).

``exchange/data`` has counts (angles, rows, columns), ``exchange/data_white`` those without a
sample, ``exchange/data_dark`` those without a beam, ``exchange/theta`` the angles in degrees.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from invscore.readers.base import Array, Recording, Wanted

DATA, WHITE, DARK, THETA = (f"exchange/{n}" for n in ("data", "data_white", "data_dark", "theta"))


class LineIntegrals:
    """``-log((data - dark) / (white - dark))``, computed where it is indexed."""

    dtype = np.dtype(np.float32)

    def __init__(self, data: Any, white: Any, dark: Any | None) -> None:
        self.data, self.shape = data, tuple(data.shape)
        self.white = np.asarray(white[()], dtype=np.float64).mean(axis=0)
        self.dark = 0.0 * self.white
        if dark is not None:
            self.dark = np.asarray(dark[()], dtype=np.float64).mean(axis=0)

    def __getitem__(self, index: Any) -> Array:
        index = index if isinstance(index, tuple) else (index,)
        index = (*index, *(slice(None) for _ in range(3 - len(index))))
        counts = np.asarray(self.data[index], dtype=np.float64)
        white, dark = (np.asarray(part[index[1:]]) for part in (self.white, self.dark))
        # A ray that lets nothing through, or a dead pixel, has the least count above none.
        beam = np.maximum(white - dark, 1.0)
        integrals: Array = -np.log(np.maximum(counts - dark, 0.5) / beam)
        return integrals.astype(np.float32)


def read(
    file: Path,  # noqa: ARG001
    opened: Any,
    held: list[str],
    wanted: Wanted,
) -> Recording | None:
    """Sinograms, one for each row of the detector (axis z), of such a file; or None.

    Rows of a sinogram are the angles, in degrees in the header ``theta``. A ``key`` reads a raw
    array instead.
    """
    if wanted.key is not None or not {DATA, WHITE} <= set(held) or opened[DATA].ndim != 3:
        return None
    values = LineIntegrals(opened[DATA], opened[WHITE], opened[DARK] if DARK in held else None)
    theta = np.asarray(opened[THETA][()], dtype=float) if THETA in held else None
    header: dict[str, Any] = {"key": "reconstruction", "attributes": {}, "theta": theta}
    return Recording(values, "hzw", units="line integrals", header=header)
