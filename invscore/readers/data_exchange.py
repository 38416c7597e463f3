"""Tomography as Data Exchange stores it (De Carlo et al. 2014, doi 10.1107/S160057751401604X).

``exchange/data`` has counts (angles, rows, columns), ``exchange/data_white`` those without a
sample, ``exchange/data_dark`` those without a beam, ``exchange/theta`` the angles in degrees.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from invscore.readers.base import Array, Recording, Unfit, Wanted

DATA, WHITE, DARK, THETA = (f"exchange/{n}" for n in ("data", "data_white", "data_dark", "theta"))

SMALLEST = 1e-4
"""Least response of a detector, in numbers for each photon."""

LEAST = 0.01
"""Least number of photons of a detector, dead ones included."""


@dataclass(frozen=True)
class Photons:
    """Of one row of the detector: ``counts`` (angles, columns), and what is known of each column.

    ``counts ~ Poisson(beam * exp(-line integral) + background)``.
    """

    counts: Array
    beam: Array
    background: Array
    gain: float


class Flux:
    """The numbers of such a file as photons, a row of the detector at a time."""

    def __init__(self, data: Any, white: Any, dark: Any | None) -> None:
        self.data, self.white, self.dark = data, white, dark

    def row(self, place: int) -> Photons:
        """The photons of a row.

        A number of the detector stands for 1 / gain photons. The gain is the variance of the white
        fields over their mean, beyond those of the dark ones, in this row, where there are several
        (photon transfer, Janesick 2007); 1 where there is one. What the detector reads without a
        beam is taken off, and its variance, in photons, added to the counts as a background, which
        makes them Poisson again in mean and variance (Snyder et al. 1993).
        """
        white = np.asarray(self.white[:, place], dtype=np.float64)
        dark = np.zeros_like(white[:1])
        if self.dark is not None:
            dark = np.asarray(self.dark[:, place], dtype=np.float64)
        offset, read = dark.mean(axis=0), _variance(dark)
        beam = white.mean(axis=0) - offset
        # The source may flicker: each white field in units of their common mean.
        level = (white - offset).mean(axis=1, keepdims=True)
        steady = offset + (white - offset) * level.mean() / np.where(level > 0, level, 1)
        spread, gain = _variance(steady), 1.0
        if spread is not None and beam.mean() > 0:
            found = float((spread - (0.0 if read is None else read)) / beam.mean())
            gain = found if found > SMALLEST else 1.0  # frames that are averages or copies
        # One dark field does not tell its variance: as of counts.
        variance = np.full_like(beam, read / gain**2) if read is not None else offset / gain
        counts = (np.asarray(self.data[:, place], dtype=np.float64) - offset) / gain + variance
        alive = beam > LEAST * gain
        background = np.maximum(variance, 0.0)
        return Photons(
            np.where(alive, np.maximum(counts, 0), background).astype(np.float32),
            np.where(alive, beam / gain, LEAST).astype(np.float32),
            background.astype(np.float32),
            gain,
        )


def _variance(frames: Array) -> float | None:
    """The variance between frames, (n, columns), averaged over columns; None for a single one."""
    return float(frames.var(axis=0, ddof=1).mean()) if len(frames) > 1 else None


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


def _require_light(file: Path, white: Any, dark: Any | None) -> None:
    """Raise ``Unfit`` for white fields in which the detector has seen no more than in dark ones."""
    bright = float(np.mean(white[()], dtype=np.float64))
    black = 0.0 if dark is None else float(np.mean(dark[()], dtype=np.float64))
    if not bright > black:
        raise Unfit(
            f"{str(file)!r} must have more light in {WHITE} than without a beam, {black:g} on "
            f"average, got {bright:g}"
        )


def _angles(file: Path, stored: Any, projections: int) -> Array:
    """The angles of a file in degrees. Raises ``Unfit`` where they are not those of its data."""
    if stored.shape != (projections,):
        raise Unfit(
            f"{str(file)!r} must have an angle for each of {projections} projections, got "
            f"{THETA} of shape {stored.shape}"
        )
    if stored.dtype.kind not in "uif" or not np.isfinite(stored[()]).all():
        raise Unfit(f"{str(file)!r} must have finite degrees in {THETA}, got {stored.dtype} or NaN")
    return np.asarray(stored[()], dtype=float)


def read(
    file: Path,
    opened: Any,
    held: list[str],
    wanted: Wanted,
) -> Recording | None:
    """Sinograms, one for each row of the detector (axis z), of such a file; or None.

    Rows of a sinogram are the angles, in degrees in the header ``theta``; ``flux`` has the counts
    behind them. A ``key`` reads a raw array instead. Raises ``Unfit`` where the arrays of the file
    do not fit each other.
    """
    if wanted.key is not None or DATA not in held or opened[DATA].ndim != 3:
        return None
    if WHITE not in held:
        if len(held) == 1 or set(wanted.names) & set(held):
            return None
        raise Unfit(
            f"{str(file)!r} must hold {WHITE}, counts without a sample, beside {DATA}: "
            f"key={DATA} reads its numbers as they are"
        )
    arrays = (opened[DATA], opened[WHITE], opened[DARK] if DARK in held else None)
    for name, array in zip((WHITE, DARK), arrays[1:], strict=True):
        if array is not None and (array.ndim != 3 or array.shape[1:] != arrays[0].shape[1:]):
            raise Unfit(
                f"{str(file)!r} must have {name} of shape (n, {arrays[0].shape[1]}, "
                f"{arrays[0].shape[2]}) as its data has, got {array.shape}"
            )
    for name, array in zip((DATA, WHITE, DARK), arrays, strict=True):
        if array is not None and array.dtype.kind not in "buif":
            raise Unfit(f"{str(file)!r} must have real numbers in {name}, got {array.dtype}")
    _require_light(file, *arrays[1:])
    theta = _angles(file, opened[THETA], len(arrays[0])) if THETA in opened else None
    header: dict[str, Any] = {"key": "reconstruction", "attributes": {}, "theta": theta}
    header["flux"] = Flux(*arrays)
    return Recording(LineIntegrals(*arrays), "hzw", units="line integrals", header=header)
