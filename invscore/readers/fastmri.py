"""k-space as fastMRI stores it (Zbontar et al. 2018, arXiv:1811.08839, section on data).

``kspace`` is (slices, h, w), or (slices, coils, h, w), complex, its zero frequency in the middle,
transformed without a factor (orthonormally): what ``mri`` measures. Lines are along h, so that a
mask is (w,). The header is that of the ISMRMRD file it comes from.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from invscore.readers.base import Recording, Unfit, Wanted, choose
from invscore.readers.ismrmrd import Encoding

IMAGES = ("reconstruction_rss", "reconstruction_esc")


def read(file: Path, opened: Any, held: list[str], wanted: Wanted) -> Recording | None:
    """k-space where a measurement is wanted, the reference where an image is; or None.

    Raises ``Unfit`` where the mask or the header of the file is that of other k-space.
    """
    if "kspace" in opened and opened["kspace"].shape and not opened["kspace"].size:
        raise Unfit(f"{str(file)!r} must hold k-space, got none of shape {opened['kspace'].shape}")
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
        _require_fit(file, opened, texts)
    return Recording(values, axes, units="fastMRI" if axes else "", header=header)


def _require_fit(file: Path, opened: Any, texts: dict[str, Any]) -> None:
    height, width = opened["kspace"].shape[-2:]
    if "mask" in opened and opened["mask"].size != width:
        raise Unfit(
            f"{str(file)!r} must have a mask of {width} lines as its kspace has, got one of shape "
            f"{opened['mask'].shape}"
        )
    if "mask" in opened and not opened["mask"][()].any():
        raise Unfit(f"{str(file)!r} must have measured lines in its mask, got none")
    try:
        encoding = Encoding(bytes(texts.get("ismrmrd_header", b"<none/>")).decode())
    except (ElementTree.ParseError, TypeError, ValueError):
        return  # which tells nothing, and is handed on as it is
    if encoding.samples not in (0, height) and encoding.rows not in (0, width):
        raise Unfit(
            f"{str(file)!r} must have kspace of {encoding.samples} x {encoding.rows} as its header "
            f"says, got {height} x {width}"
        )
