"""Raw files of cameras: the mosaic behind the colour filter, linear in the light."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from invscore.readers.base import Recording, Wanted, single
from invscore.readers.memory_check import require_room

COUNTED = 2 + 4 * 8
"""Bytes for each pixel: its counts, and those less the black level in double precision."""


def read(file: Path, wanted: Wanted) -> Recording:
    """The mosaic (h, w) in [0, 1]: 0 at the black level of each colour, 1 at the white level.

    The header has the colours of the repeated pattern, letters such as RG over GB, or 6 x 6 of
    X-Trans sensors.
    """
    import rawpy

    single(file, wanted)
    with rawpy.imread(str(file)) as raw:
        require_room(file, (raw.sizes.raw_height, raw.sizes.raw_width), COUNTED)
        counts = raw.raw_image_visible.astype(np.float64)
        black = np.asarray(raw.black_level_per_channel, dtype=np.float64)[raw.raw_colors_visible]
        white = float(raw.white_level)
        side = 2 if raw.raw_pattern is None else len(raw.raw_pattern)
        names = raw.color_desc.decode()
        pattern = [[names[k] for k in row] for row in raw.raw_colors_visible[:side, :side]]
    values = ((counts - black) / (white - black)).astype(np.float32)
    return Recording(values, "hw", header={"pattern": pattern})
