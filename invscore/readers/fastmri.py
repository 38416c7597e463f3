"""k-space as fastMRI stores it (Zbontar et al. 2018, arXiv:1811.08839, section on data).

``kspace`` is (slices, h, w), or (slices, coils, h, w), complex, its zero frequency in the middle,
transformed without a factor (orthonormally): what ``mri`` measures. Lines are along h, so that a
mask is (w,).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from invscore.readers.base import Recording, Wanted, choose

IMAGES = ("reconstruction_rss", "reconstruction_esc")


def read(file: Path, opened: Any, held: list[str], wanted: Wanted) -> Recording | None:
    """k-space where a measurement is wanted, the reference where an image is; or None."""
    if "kspace" not in held or opened["kspace"].ndim not in (3, 4):
        return None
    first = wanted.names[0] if wanted.names else ""
    known = {"image": IMAGES, "y": ("kspace",)}.get(first, wanted.names)
    key = choose(file, held, Wanted(wanted.key, known))
    values = opened[key]
    texts = {}
    if "ismrmrd_header" in opened:
        texts["ismrmrd_header"] = opened["ismrmrd_header"][()]
    header = {"key": key, "attributes": dict(opened.attrs), "texts": texts}
    axes = {3: "zhw", 4: "zchw"}.get(values.ndim, "") if key in ("kspace", *IMAGES) else ""
    if key == "kspace":
        header["key"] = "reconstruction"
    return Recording(values, axes, units="fastMRI" if axes else "", header=header)
