"""Power gain of an operator at each frequency."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

from invscore.methods.gaussian_field.frequency_bands import SMALL, FrequencyBands
from invscore.operators import MRI, Blur, Inpainting, LinearOperator, SuperResolution

FILTER = 1e-4
"""Largest error of the filter that stands for an operator, relative to its largest gain, for the
operator to be one."""

UNCHANGING = (Blur, SuperResolution, MRI)
"""Types of operators whose gains are remembered; a user's own may change between calls."""


class OperatorPower(NamedTuple):
    """The diagonal of ``A^H A`` on spectra, (\\*shape), and whether there is nothing beside it."""

    power: Tensor
    is_filter: bool

    @classmethod
    def of(cls, operator: LinearOperator, bands: FrequencyBands) -> OperatorPower:
        """Found by random images, and exact for filters, as blurs and Fourier sampling are.

        Of missing pixels it is exact too: a wave and its opposite pass as much as any other two.
        What a blur passes of cosines is told by its kernel, and by the share of pixels measured;
        what decimation does, by the cosines that it takes for one another.
        """
        if isinstance(operator, Inpainting):
            return cls._of_pixels(operator, bands)
        if isinstance(operator, Blur) and bands.mirrored:
            return cls._of_kernel(operator, bands)
        if isinstance(operator, SuperResolution) and bands.mirrored:
            return cls._of_decimation(operator, bands)
        power, error = steadied(torch.cat(list(_gains(operator, bands)))[:, None])
        return cls(power[0], bool(error <= FILTER * power.max()))

    @classmethod
    def _of_pixels(cls, operator: Inpainting, bands: FrequencyBands) -> OperatorPower:
        weight = operator.weight.like(bands.radius).square()
        return cls(weight.mean().expand(bands.shape), bool((weight == weight.max()).all()))

    @classmethod
    def _of_kernel(cls, operator: Blur, bands: FrequencyBands) -> OperatorPower:
        height, width = bands.shape[-2:]
        share = math.prod(operator.out_shape[-2:]) / (height * width)
        power = share * operator.power((height, width))
        return cls(power.to(bands.radius).expand(bands.shape), operator.passes_cosines)

    @classmethod
    def _of_decimation(cls, operator: SuperResolution, bands: FrequencyBands) -> OperatorPower:
        singular = operator.svd(bands.radius.dtype).s
        power = operator.parted(singular.square(), squared=True)
        return cls(power.expand(bands.shape), operator.out_shape == operator.in_shape)


def is_low_pass(operator: LinearOperator, bands: FrequencyBands) -> bool:
    """Whether what passes are the lowest frequencies, as of blurred and of shrunken images.

    What the measurement leaves open is then fine detail. As many of the lowest frequencies as pass,
    counted by their gain as a share of the largest, have to hold half of what passes, and to be no
    more than half of all. Gains are those of bands, which random images tell well enough.
    """
    lowest = _remembered_lowest if _unchanging(operator, bands) else _passes_lowest
    return lowest(operator, bands)


def _passes_lowest(operator: LinearOperator, bands: FrequencyBands) -> bool:
    gains = bands.sums(_gains(operator, bands)).mean(dim=0, keepdim=True).clamp_min(0)
    share = bands.of_size(gains / (gains / bands.numbers).max())
    number = bands.of_size(bands.numbers[None])
    passed = share.sum()
    below = number.cumsum(dim=1) - number
    lowest = share * ((passed - below) / number).clamp(0, 1)
    return bool((passed <= number.sum() / 2) & (lowest.sum() >= passed / 2))


_remembered_lowest = lru_cache(maxsize=2)(_passes_lowest)


def _unchanging(operator: LinearOperator, bands: FrequencyBands) -> bool:
    """Whether what is found of an operator is remembered."""
    return bands.shape.numel() <= SMALL and isinstance(operator, UNCHANGING)


def _gains(operator: LinearOperator, bands: FrequencyBands) -> Iterator[Tensor]:
    """Gains at each frequency from random images, a few of (k, \\*shape) at once."""
    found = _remembered if _unchanging(operator, bands) else _found
    yield from found(operator, bands)


def _found(operator: LinearOperator, bands: FrequencyBands) -> Iterator[Tensor]:
    for probes in bands.probes():
        yield (probes.conj() * bands.spectrum(operator.normal(bands.image(probes)))).real


@lru_cache(maxsize=2)
@torch.inference_mode(False)
def _remembered(operator: LinearOperator, bands: FrequencyBands) -> list[Tensor]:
    """Many measurements have one operator, and one asks more than once."""
    return list(_found(operator, bands))


def steadied(found: Tensor) -> tuple[Tensor, Tensor]:
    """The mean of estimates, (k, b, \\*shape), as far as they are noise drawn to one number.

    That of each image, (b, \\*shape). And its error, which has been added to it: where next to
    nothing passes, too little would be taken for certain, and magnified in proportion.
    """
    axes = tuple(range(1, found.ndim - 1))
    mean = found.mean(dim=0)
    centre = mean.mean(axes, keepdim=True)
    variance = _mean_square(mean - centre, axes)
    # One estimate after the other: Tensor.var takes a hundred times as long over so few.
    apart = torch.stack([_mean_square(each - mean, axes) for each in found]).mean(dim=0)
    noise = apart / (len(found) - 1)
    signal = (1 - noise / variance.clamp_min(1e-30)).clamp(0, 1)
    drawn = mean.sub_(centre).mul_(signal).add_(centre).clamp_min_(0)
    error = (signal * noise).sqrt() + 10 * torch.finfo(found.dtype).eps * drawn.amax(axes, True)
    return drawn.add_(error), noise.sqrt()


def _mean_square(values: Tensor, axes: tuple[int, ...]) -> Tensor:
    """Of real ``values``, which are overwritten, over ``axes``."""
    return values.square_().mean(axes, keepdim=True)
