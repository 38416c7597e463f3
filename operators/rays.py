"""Straight rays through an image: how long each is in which pixel."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise
from statistics import median_low

import torch
from torch import Tensor

from invscore.batches import Numbers, as_tensor
from invscore.operators.sparse import Rows, compressed

WEDGE = 4.0
"""Gap between two angles, in units of the usual one, from which on a wedge counts as not
measured."""

Line = tuple[Tensor, Tensor, Tensor, Tensor]
"""Rays: the coordinates of a point of each (to the right, upwards, from the image's centre) and its
direction."""


def joseph(lines: Iterable[Line], height: int, width: int) -> Rows:
    """The matrix of rays, in pixels: linear interpolation across each one's main direction.

    A ray closer to the columns than to the rows crosses every row once, between two pixels that
    share the length of its way through the row; and the same for rows and columns exchanged
    (Joseph 1982). ``lines`` come in parts, float64, of the length of the part each.
    """
    parts = [_met(*line, height, width) for line in lines]
    counts, columns, lengths = (torch.cat(each) for each in zip(*parts, strict=True))
    return compressed(counts, columns, lengths.float())


def _met(
    right: Tensor, up: Tensor, dx: Tensor, dy: Tensor, height: int, width: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Pixels that each ray meets: how many, their indices, and lengths in pixels."""
    number = max(len(each) for each in (right, up, dx, dy))
    right, up, dx, dy = (each.expand(number) for each in (right, up, dx, dy))
    size = torch.hypot(dx, dy)
    steep = dy.abs() >= dx.abs()
    if bool(steep.all()) or not bool(steep.any()):
        return _through(right, up, dx / size, dy / size, height, width, bool(steep.all()))
    rays = torch.arange(number)
    groups = []
    for rows in (True, False):
        chosen = steep == rows
        x, y, ahead, above = (value[chosen] for value in (right, up, dx / size, dy / size))
        counts, pixels, lengths = _through(x, y, ahead, above, height, width, rows)
        groups.append((rays[chosen].repeat_interleave(counts), pixels, lengths))
    ray, pixels, lengths = (torch.cat(each) for each in zip(*groups, strict=True))
    order = ray.argsort(stable=True)
    return torch.bincount(ray, minlength=number), pixels[order], lengths[order]


def _through(
    right: Tensor, up: Tensor, dx: Tensor, dy: Tensor, height: int, width: int, rows: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """``_met`` of rays that all cross every row, or else every column."""
    right, up, dx, dy = (value[:, None] for value in (right, up, dx, dy))
    if rows:
        at = (height - 1) / 2 - torch.arange(height, dtype=torch.float64)
        across = right + (at - up) * (dx / dy) + (width - 1) / 2
        first, stride, limit, length = torch.arange(height) * width, 1, width, 1 / dy.abs()
    else:
        at = torch.arange(width, dtype=torch.float64) - (width - 1) / 2
        across = (height - 1) / 2 - up - (at - right) * (dy / dx)
        first, stride, limit, length = torch.arange(width), width, height, 1 / dx.abs()
    lower = across.floor()
    share = across - lower
    nearest = torch.stack([lower, lower + 1], dim=-1).long()
    lengths = length[..., None] * torch.stack([1 - share, share], dim=-1)
    met = (nearest >= 0) & (nearest < limit) & (lengths > 0)
    pixels = first[:, None] + stride * nearest
    return met.sum(dim=(1, 2)), pixels[met], lengths[met]


def angles_in_degrees(angles: int | Sequence[float] | Numbers, span: float) -> Tensor:
    """Given angles, or a number of them evenly over ``span``: (n,), float64.

    Raises ``ValueError`` for none, and such that are not finite.
    """
    if isinstance(angles, int):
        degrees = span / max(angles, 1) * torch.arange(max(angles, 0), dtype=torch.float64)
    else:
        degrees = as_tensor("angles", angles).double().cpu()
    if degrees.ndim != 1 or len(degrees) == 0 or not bool(degrees.isfinite().all()):
        raise ValueError(
            "`angles` must be finite numbers of degrees, or a positive number of angles, got "
            f"{angles}"
        )
    return degrees


def angular_weights(degrees: tuple[float, ...], turn: float) -> list[float]:
    """The weight of each angle, in radians: half of the gaps to its neighbours, modulo ``turn``.

    ``turn`` radians in all, but for what is missing.
    """
    period = math.degrees(turn)
    order = sorted(range(len(degrees)), key=lambda k: degrees[k] % period)
    turned = [degrees[k] % period for k in order]
    gaps = [after - before for before, after in pairwise([*turned, turned[0] + period])]
    usual = median_low([gap for gap in gaps if gap > 1e-6])
    gaps = [usual if gap > WEDGE * usual else gap for gap in gaps]
    shares = [(before + after) / 2 for before, after in zip([gaps[-1], *gaps], gaps, strict=False)]
    by_place = dict(zip(order, shares, strict=True))
    return [math.radians(by_place[k]) for k in range(len(degrees))]


def ramp_filtered(y: Tensor, filter: str) -> Tensor:
    """Projections convolved with the ramp filter of detectors one apart.

    ``filter`` is ``"ramp"``, or ``"hann"`` for one that falls to zero at the highest frequency.
    Raises ``ValueError`` for another.
    """
    if filter not in ("ramp", "hann"):
        raise ValueError(f"`filter` must be one of ramp, hann, got {filter!r}")
    detectors = y.shape[-1]
    length = 2 ** math.ceil(math.log2(2 * detectors))
    n = torch.arange(length, dtype=torch.float64)
    n = torch.minimum(n, length - n)
    # The band-limited ramp in space, not in frequency, where its mean would be wrong (Kak &
    # Slaney 1988, Eq. 61).
    ramp = torch.where(n % 2 == 1, -1 / (math.pi * n) ** 2, 0.0)
    ramp[0] = 0.25
    response = torch.fft.rfft(ramp).real
    if filter == "hann":
        response = response * torch.cos(math.pi * torch.fft.rfftfreq(length)) ** 2
    spectrum = torch.fft.rfft(y, n=length) * response.to(y)
    return torch.fft.irfft(spectrum, n=length)[..., :detectors]
