"""Entry of the page: one reconstruction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor

PICTURES = ("measurement", "reconstruction", "truth", "uncertainty")
"""Pictures that an entry may have, in the order in which the page offers them."""


@dataclass(frozen=True)
class Entry:
    """One reconstruction: a row of the table, and what the viewer shows of it.

    ``pictures``: any of ``PICTURES``, each (c, h, w), c 1 or 3, real and in image units (complex
    ones given by magnitude). The uncertainty is a standard deviation, or another width, for each
    pixel. A measurement may have another size; it is shown at the extent of the others.
    ``samples``: (s, c, h, w), in image units too. ``figures`` are the columns of the table; None
    where there is none. ``options`` and ``seed``: how the reconstruction was made.

    Raises ``ValueError`` for a picture of another name or shape, and for complex ones.

    >>> import torch
    >>> from invscore.viewer import Entry
    >>> pictures, figures = {"reconstruction": torch.rand(1, 8, 8)}, {"PSNR": 30.1}
    >>> entry = Entry("deblur", "camera", "dps", pictures, None, figures, {}, 0)
    >>> entry.figures
    {'PSNR': 30.1}
    """

    task: str
    image: str
    method: str
    pictures: dict[str, Tensor]
    samples: Tensor | None
    figures: dict[str, float | str | None]
    options: dict[str, Any]
    seed: int

    def __post_init__(self) -> None:
        for name, picture in self.pictures.items():
            if name not in PICTURES:
                allowed = ", ".join(PICTURES)
                raise ValueError(f"a picture must be one of {allowed}, got {name!r}")
            _check(f"picture {name!r}", picture, "(1 or 3, h, w)", axes=3)
        if self.samples is not None:
            _check("samples", self.samples, "(s, 1 or 3, h, w)", axes=4)
        reconstruction, truth = self.pictures.get("reconstruction"), self.pictures.get("truth")
        if truth is not None and reconstruction is not None and truth.shape != reconstruction.shape:
            raise ValueError(
                "picture 'truth' must have the shape of the reconstruction, "
                f"{tuple(reconstruction.shape)}, got {tuple(truth.shape)}"
            )


def _check(name: str, images: Tensor, allowed: str, *, axes: int) -> None:
    if images.is_complex():
        raise ValueError(f"{name} must be real, got complex values: give the magnitude")
    if images.ndim != axes or images.shape[-3] not in (1, 3) or images.numel() == 0:
        raise ValueError(f"{name} must have shape {allowed}, got {tuple(images.shape)}")
