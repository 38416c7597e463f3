"""Pictures side by side: a reconstruction beside what it is compared with, samples in a grid."""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from invscore.files import atomic_file

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

HEIGHT = 3.0  # inches of a picture
GAP = 0.12
TITLE = 0.28
CAPTION = 0.2
ABOVE = 0.08  # from a picture to the line above it
BAR = 0.09
TICKS = 0.5  # room to the right of the bar for its numbers
DPI = 200
LARGEST = 600  # pixels of a side that are on paper, at least
POINTS = {"title": 11, "caption": 9, "tick": 8}  # sizes of letters
GRAY = "#666666"

COMPRESSION = {"compress_type": zlib.Z_RLE, "compress_level": 1}
"""Strategy and level of zlib for pictures after PNG's own filters: as small as by the default, in a
fifth to a third of the time."""

MAGMA = (
    "000003 0a0722 1c1046 350f6a 50127b 691c80 822581 9b2e7f b63679 cf4070 e55063 f4695b fb8660 "
    "fda470 fec286 fddfa1 fbfcbf"
)
"""Colours of matplotlib's magma at equal distances; what lies between is within 3 of 255."""

INTERVALS = 5
"""Most steps of a colour bar from one number to the next."""

SHORT = (1e-4, 1e4)
"""Steps of a colour bar whose numbers are written without a power of ten."""

SQUARES = 3
"""Pixels that are drawn so many times as large, or a whole number of times, are squares; others
are interpolated, as their squares would differ in size."""


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
    """Write what ``side_by_side`` draws as a PNG, without matplotlib, which takes a second."""
    captions = captions or {}
    side, gap = _dots(HEIGHT), _dots(GAP)
    top = _dots(TITLE + (CAPTION if captions else 0))
    columns = [(title, _enlarged(_pixels(image), side)) for title, image in images.items()]
    room = 0
    if deviation is not None:
        spread, most = _spread(deviation)
        columns.append((measure, _enlarged(magma()[_levels(spread / most)], side)))
        room = _dots(BAR + TICKS)
    width = sum(column.width for _, column in columns) + gap * (len(columns) + 1) + room
    sheet = Image.new("RGB", (width, top + side + gap), "white")
    pen, left = ImageDraw.Draw(sheet), gap
    for title, column in columns:
        sheet.paste(column, (left, top))
        middle, base = left + column.width / 2, top - _dots(ABOVE)
        lower = captions.get(title, "")
        rise = _dots(CAPTION) if captions else 0
        pen.text((middle, base - rise), title, "black", _font("title"), anchor="ms")
        pen.text((middle, base), lower, GRAY, _font("caption"), anchor="ms")
        left += column.width + gap
    if deviation is not None:
        _draw_bar(sheet, pen, (left - gap // 2, top, side), most)
    with atomic_file(Path(path)) as partial:
        sheet.save(partial, format="PNG", dpi=(DPI, DPI), **COMPRESSION)


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
    spread, top = (None, 0.0) if deviation is None else _spread(deviation)
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
        x, above = (left + wide / 2) / width, GAP + HEIGHT + ABOVE
        lines = [
            (title, head - TITLE, POINTS["title"], "black"),
            (captions.get(title, ""), 0, POINTS["caption"], GRAY),
        ]
        for text, rise, size, colour in lines:
            figure.text(x, (above + rise) / height, text, ha="center", fontsize=size, color=colour)
        return axes

    left = GAP
    for (title, pixels), wide in zip(pictures.items(), widths, strict=False):
        add(title, left, wide).imshow(pixels, cmap="gray", vmin=0, vmax=1, aspect="auto")
        left += wide + GAP
    if spread is not None:
        axes = add(measure, left, widths[-1])
        drawn = axes.imshow(spread, cmap="magma", vmin=0, vmax=top, aspect="auto")
        left += widths[-1] + GAP / 2
        bar = figure.add_axes((left / width, GAP / height, BAR / width, HEIGHT / height))
        figure.colorbar(drawn, cax=bar)
        bar.tick_params(labelsize=POINTS["tick"], length=2, pad=2)
        bar.locator_params(axis="y", nbins=INTERVALS)
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


def magma() -> npt.NDArray[np.uint8]:
    """The colours of maps of deviations from the least to the largest, (256, 3)."""
    stops = np.array([list(bytes.fromhex(stop)) for stop in MAGMA.split()])
    places = np.linspace(0, len(stops) - 1, 256)
    each = [np.interp(places, np.arange(len(stops)), channel) for channel in stops.T]
    return np.round(np.stack(each, axis=1)).astype(np.uint8)


def _spread(deviation: Tensor) -> tuple[npt.NDArray[np.float32], float]:
    """(c, h, w) averaged over channels, and what is drawn brightest.

    A handful of extreme pixels must not darken the map.
    """
    spread = _drawn(deviation.detach().cpu().real).mean(dim=0).numpy()
    return spread, max(float(np.quantile(spread, 0.998)), 1e-12)


def _levels(pixels: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    """Numbers in [0, 1], and beyond, as 0 to 255."""
    return np.round(255 * pixels.clip(0, 1)).astype(np.uint8)


def _enlarged(pixels: npt.NDArray[Any], height: int) -> Image.Image:
    """Pixels (h, w) or (h, w, 3), in [0, 1] or of 8 bits, drawn in so many rows."""
    image = Image.fromarray(pixels if pixels.dtype == np.uint8 else _levels(pixels)).convert("RGB")
    factor = height / image.height
    size = (max(1, round(factor * image.width)), height)
    squares = factor >= SQUARES or factor == round(factor)
    return image.resize(size, Image.Resampling.NEAREST if squares else Image.Resampling.HAMMING)


def _draw_bar(
    sheet: Image.Image, pen: ImageDraw.ImageDraw, place: tuple[int, int, int], most: float
) -> None:
    """The colours from 0 to ``most`` at a place (left, top, height), with numbers beside them."""
    left, top, height = place
    column = magma()[np.linspace(255, 0, height).round().astype(int)][:, None]
    wide = _dots(BAR)
    sheet.paste(Image.fromarray(column.repeat(wide, axis=1)), (left, top))
    step, decimals = _step(most)
    for number in range(math.floor(most / step * (1 + 1e-9)) + 1):
        y = top + round((height - 1) * (1 - number * step / most))
        end = left + wide + round(2 / 72 * DPI)
        pen.line((left + wide, y, end, y), "black", 2)
        plain = SHORT[0] <= step < SHORT[1]
        written = f"{number * step:.{decimals}f}" if plain else f"{number * step:.3g}"
        pen.text((end + 4, y), written, "black", _font("tick"), anchor="lm")


def _step(most: float) -> tuple[float, int]:
    """A round step of which at most ``INTERVALS`` lie below ``most``, and its decimal places."""
    scale = 10.0 ** math.floor(math.log10(most / INTERVALS))
    factor = next(f for f in (1, 2, 2.5, 5, 10) if f * scale * INTERVALS >= most * (1 - 1e-9))
    exponent = round(math.log10(scale))
    return factor * scale, max(0, -exponent + (factor == 2.5) - (factor == 10))


@lru_cache
def _font(use: str) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """matplotlib's own letters, which it need not be imported for, or else Pillow's."""
    dots = POINTS[use] / 72 * DPI
    found = find_spec("matplotlib")
    for folder in (found and found.submodule_search_locations) or []:
        file = Path(folder) / "mpl-data" / "fonts" / "ttf" / "DejaVuSans.ttf"
        try:
            return ImageFont.truetype(str(file), round(dots))
        except OSError:
            continue
    return ImageFont.load_default(dots)


def _dots(inches: float) -> int:
    return round(inches * DPI)
