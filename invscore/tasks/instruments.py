"""A camera without a lens and a radio interferometer, by name and from files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from annotated_types import Interval

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from invscore.operators import Operator

Shape = tuple[int, ...]
Side = Annotated[int, Interval(ge=1, le=100000)]
Arcseconds = Annotated[float, Interval(gt=0, le=1e6)]
NAMES = ("uv", "uvw", "baselines")
"""Names of arrays of baselines in a file of several."""


def lensless(
    in_shape: Shape, *, kernel: str, sensor: Side | tuple[Side, Side] | None = None
) -> Operator:
    """A camera without a lens: the kernel file a picture of a point, the sensor sees the middle

    y = the middle of k * x, the scene x dark around (DiffuserCam, Antipa et al. 2018, Eq. 4).

    ``kernel``: file of the picture that the camera takes of a point.
    ``sensor``: rows and columns of the sensor, or its side; by default those of the kernel.
    """
    from invscore.operators import Lensless
    from invscore.operators.files import read_kernel

    values = read_kernel(kernel)
    size = (sensor, sensor) if isinstance(sensor, int) else sensor
    return Lensless(values / values.sum(), in_shape, size)


def interferometry(in_shape: Shape, *, uv: str, pixel: Arcseconds) -> Operator:
    """Radio interferometry: baselines in wavelengths from a file, the pixel in arcseconds

    V_k = sum of I(l, m) exp(-2 pi i (u_k l + v_k m)), the visibilities of a small field (Thompson,
    Moran and Swenson 2017, Eq. 3.7); rows to the north, columns to the west.

    ``uv``: file of the baselines (n, 2) or (n, 3), to the east, to the north, w left out.
    ``pixel``: side of a pixel in arcseconds.
    """
    from invscore.operators import Interferometer

    return Interferometer(read_baselines(uv), in_shape, pixel)


def read_baselines(path: str | Path) -> Tensor:
    """The baselines in a file, wavelengths to the east and to the north: (2, n), float64.

    Arrays (n, 2), (n, 3), (2, n) or (3, n), or text of two or three numbers a line; the third, w,
    is left out. Raises ``ValueError`` for anything else.
    """
    import numpy as np
    import torch

    from invscore.readers import known_suffixes, read, suffix_of

    file, name = Path(path), f"the baselines {str(path)!r}"
    if suffix_of(file) in known_suffixes(pictures=False):
        values = np.asarray(read(file, names=NAMES).values)
    else:
        values = _of_text(file, name)
    sizes = values.shape
    if values.dtype.kind not in "uif" or values.ndim != 2 or not {2, 3} & set(sizes):
        raise ValueError(
            f"{name} must be real, of shape (n, 2) or (n, 3), got {values.dtype} of shape {sizes}"
        )
    rows = values.T if sizes[1] in (2, 3) else values
    if not values.size or not np.isfinite(rows[:2]).all():
        raise ValueError(f"{name} must be finite, got NaN, infinite values or none")
    return torch.from_numpy(np.array(rows[:2], dtype=np.float64))


def _of_text(file: Path, name: str) -> np.ndarray:
    import numpy as np

    try:
        text = file.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise ValueError(f"{name} cannot be read: {error.strerror}") from None
    lines = [line.split("#")[0].replace(",", " ").split() for line in text.splitlines()]
    lines = [line for line in lines if line]
    try:
        return np.array(lines, dtype=np.float64)
    except ValueError:
        raise ValueError(f"{name} must have two or three numbers in each line") from None
