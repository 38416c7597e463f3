"""Pictures side by side: a reconstruction beside what it is compared with, samples in a grid."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from invscore.files import atomic_file

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

HEIGHT = 3.0  # inches of a picture
GAP = 0.12
TITLE = 0.28
CAPTION = 0.2
BAR = 0.09
TICKS = 0.5  # room to the right of the bar for its numbers
DPI = 200
LARGEST = 600  # pixels of a side that are on paper, at least


def picture(
    tensor: Tensor, *, peak: float = 1.0, spectrum: bool = False, stretch: bool = False
) -> Tensor:
    """A tensor of any kind as an image (c, h, w) in [0, 1], c 1 or 3.

    A real image is divided by ``peak``, a complex one shown by magnitude. A ``spectrum`` (k-space)
    is shown as log magnitude over four decades. With ``stretch`` the least value is black and the
    largest white, and the rows of a wide tensor (the angles of a sinogram) are repeated until it is
    about as high as wide. Other channel counts are combined by root sum of squares; two axes
    without a channel are stretched to [0, 1]; of a volume (c, d, h, w) the middle slice is shown.
    Raises ``ValueError`` for a vector, which has no picture.
    """
    if tensor.ndim < 2:
        raise ValueError(
            f"a picture must be of a tensor (c, h, w), got the shape {tuple(tensor.shape)}"
        )
    image = middle_slice(tensor.detach().cpu())
    if image.ndim == 2:
        image = _stretched(image.abs() if image.is_complex() else image)[None]
        peak = 1.0
    image = image.flatten(0, -3) if image.ndim > 3 else image
    if image.shape[0] not in (1, 3) or image.is_complex():
        image = image.abs().square().sum(dim=0, keepdim=True).sqrt()
    if stretch:
        rows, columns = image.shape[1:]
        return _stretched(image).repeat_interleave(max(1, round(columns / rows)), dim=1).float()
    if spectrum:
        image = image.abs()  # noise may have taken a magnitude below zero
        decades = torch.log10(image / image.max().clamp_min(1e-30) + 1e-30)
        return (1 + decades / 4).clamp(0, 1)
    return (image / peak).clamp(0, 1).float()


def middle_slice(image: Tensor) -> Tensor:
    """The slice in the middle of a volume (c, d, h, w); an image (c, h, w) as it is."""
    return image[:, image.shape[1] // 2] if image.ndim == 4 else image


def grid(pictures: Sequence[Tensor], *, gap: int = 2) -> Tensor:
    """Pictures (c, h, w) of one shape, about as many rows as columns, as one: (c, height, width).

    ``gap`` white pixels between them; what is left of the last row is white.
    """
    columns = math.ceil(math.sqrt(len(pictures)))
    rows = math.ceil(len(pictures) / columns)
    channels, height, width = pictures[0].shape
    whole = torch.ones(channels, rows * (height + gap) - gap, columns * (width + gap) - gap)
    for index, image in enumerate(pictures):
        top, left = (height + gap) * (index // columns), (width + gap) * (index % columns)
        whole[:, top : top + height, left : left + width] = image
    return whole


def panel(
    images: Mapping[str, Tensor],
    path: str | Path,
    *,
    captions: Mapping[str, str] | None = None,
    deviation: Tensor | None = None,
    measure: str = "standard deviation",
) -> None:
    """Write what ``side_by_side`` draws as a PNG."""
    figure = side_by_side(images, captions=captions, deviation=deviation, measure=measure)
    with atomic_file(Path(path)) as partial:
        figure.savefig(partial, format="png")


def side_by_side(
    images: Mapping[str, Tensor],
    *,
    captions: Mapping[str, str] | None = None,
    deviation: Tensor | None = None,
    measure: str = "standard deviation",
) -> Figure:
    """A figure of ``images`` side by side, each under its name and its caption.

    ``images`` maps titles to pictures (c, h, w) in [0, 1]; all are drawn equally high, pixels of a
    smaller one as squares. ``deviation``, (c, h, w), comes last, averaged over channels, with a
    colour bar in the units of the image; its title says what it is a ``measure`` of.
    """
    # Seconds to import; a Figure without pyplot draws by Agg and needs no display.
    from matplotlib.figure import Figure

    captions = captions or {}
    pictures = {title: _pixels(image) for title, image in images.items()}
    spread = None if deviation is None else _drawn(deviation.detach().cpu().real).mean(dim=0)
    shapes = [p.shape for p in pictures.values()] + ([] if spread is None else [spread.shape])
    widths = [HEIGHT * shape[1] / shape[0] for shape in shapes]
    width = sum(widths) + GAP * (len(widths) + 1) + (0 if spread is None else BAR + TICKS)
    head = TITLE + (CAPTION if captions else 0)
    height = HEIGHT + head + GAP
    figure = Figure(figsize=(width, height), dpi=DPI)

    def add(title: str, left: float, wide: float) -> Axes:
        """A frame for a picture, ``left`` inches from the edge, with its title above."""
        axes = figure.add_axes((left / width, GAP / height, wide / width, HEIGHT / height))
        axes.set_axis_off()
        x, above = (left + wide / 2) / width, GAP + HEIGHT + 0.08
        lines = [(title, head - TITLE, 11, "black"), (captions.get(title, ""), 0, 9, "#666666")]
        for text, rise, size, colour in lines:
            figure.text(x, (above + rise) / height, text, ha="center", fontsize=size, color=colour)
        return axes

    left = GAP
    for (title, pixels), wide in zip(pictures.items(), widths, strict=False):
        add(title, left, wide).imshow(pixels, cmap="gray", vmin=0, vmax=1, aspect="auto")
        left += wide + GAP
    if spread is not None:
        # A handful of extreme pixels must not darken the map.
        top = max(float(np.quantile(spread.numpy(), 0.998)), 1e-12)
        axes = add(measure, left, widths[-1])
        drawn = axes.imshow(spread.numpy(), cmap="magma", vmin=0, vmax=top, aspect="auto")
        left += widths[-1] + GAP / 2
        bar = figure.add_axes((left / width, GAP / height, BAR / width, HEIGHT / height))
        figure.colorbar(drawn, cax=bar)
        bar.tick_params(labelsize=8, length=2, pad=2)
        bar.locator_params(axis="y", nbins=5)
        for spine in bar.spines.values():
            spine.set_visible(False)
    return figure


def _pixels(image: Tensor) -> npt.NDArray[np.float32]:
    if image.ndim != 3 or image.shape[0] not in (1, 3):
        raise ValueError(f"a picture must have shape (1 or 3, h, w), got {tuple(image.shape)}")
    pixels = _drawn(image.detach().cpu()).clamp(0, 1).movedim(0, -1).numpy()
    return pixels[..., 0] if len(image) == 1 else pixels


def _drawn(image: Tensor) -> Tensor:
    """``image``, (c, h, w), in no more pixels than are drawn: means of squares of them."""
    factor = max(1, min(image.shape[-2:]) // LARGEST)
    image = image.float()
    return image if factor == 1 else torch.nn.functional.avg_pool2d(image[None], factor)[0]


def _stretched(image: Tensor) -> Tensor:
    low, high = image.min(), image.max()
    return (image - low) / (high - low).clamp_min(1e-30)
