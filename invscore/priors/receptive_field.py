"""Receptive field and memory of a network, measured by evaluating it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from invscore.hardware.tensor_memory import TensorMemory
from invscore.priors.base import Footprint, Prior

LENGTH, WIDTH = 1024, 64
"""Length and width in pixels of the strips on which a network's reach is measured."""

STRIDE = 64
"""Stride in pixels that is assumed: a multiple of that of networks which halve an image up to six
times."""

SEEN = 1e-7
"""Least derivative, relative to the largest, that is not rounding."""

SLACK = 1.5
"""Memory that operations take while they compute, relative to what they return."""


@dataclass(frozen=True)
class NetworkExtent:
    """Memory and receptive field of a network.

    ``bytes_per_pixel``: of an evaluation. ``stride``: the network is the same after a shift by so
    many pixels. ``footprint``: None where a pixel depends on all others, or on more than was tried.
    """

    bytes_per_pixel: float
    stride: int
    footprint: Footprint | None


_known: WeakKeyDictionary[Prior, NetworkExtent] = WeakKeyDictionary()


def measured_extent(prior: Prior, multiple: int = 1) -> NetworkExtent:
    """Memory and receptive field of ``prior``, from evaluations on strips along and across.

    Its derivative at random images tells on which pixels a row of the result depends: not beyond
    some distance, for convolutions; on all, for attention and norms over the image. ``multiple``:
    of which its images' sides are. Strips are so long that a reach of some 400 pixels is found.
    """
    if prior not in _known:
        _known[prior] = _measured(prior, math.lcm(multiple, STRIDE))
    return _known[prior]


def _measured(prior: Prior, stride: int) -> NetworkExtent:
    weight = next(prior.parameters(), torch.zeros(())) if isinstance(prior, nn.Module) else None
    device = "cpu" if weight is None else weight.device
    generator = torch.Generator().manual_seed(0)
    kind = torch.complex64 if prior.complex else torch.float32
    length, width = (-(-side // stride) * stride for side in (LENGTH, WIDTH))
    strip = torch.randn(1, prior.channels or 1, length, width, generator=generator, dtype=kind)
    strip = (prior.mean + prior.variance**0.5 * strip).to(device)
    level = min(max(prior.variance**0.5, prior.sigma_min), prior.sigma_max)
    with torch.no_grad(), TensorMemory() as memory:
        prior.denoise(strip, level)
    size = SLACK * memory.most / (length * width)
    try:
        reaches = [_reach(prior, image, level, stride) for image in (strip, strip.mT.contiguous())]
    except RuntimeError:  # no derivatives
        return NetworkExtent(size, stride, None)
    if None in reaches:
        return NetworkExtent(size, stride, None)
    return NetworkExtent(
        size, stride, Footprint(max(r for r in reaches if r is not None), stride, size)
    )


def _reach(prior: Prior, strip: Tensor, level: float, stride: int) -> int | None:
    """Pixels along the longer axis on which the middle of a result depends, at most."""
    axis = -2 if strip.shape[-2] > strip.shape[-1] else -1
    middle = strip.shape[axis] // 2 // stride * stride
    u = torch.zeros_like(strip)
    generator = torch.Generator().manual_seed(1)
    chosen = u.narrow(axis, middle, stride)
    chosen += torch.randn(chosen.shape, generator=generator, dtype=u.dtype).to(u.device)
    felt = prior.pullback(strip, level)[1](u).abs().movedim(axis, 0).flatten(1).amax(dim=1)
    places = (felt > SEEN * felt.max()).nonzero().flatten().tolist()
    if not places or not math.isfinite(float(felt.max())):
        return None
    first, last = places[0], places[-1]
    if first < stride or last >= len(felt) - stride:  # as far as the strip goes
        return None
    return int(max(middle - first, last - (middle + stride - 1), 0))
