"""Blocks that the UNets of Karras et al. 2022 ("EDM") are made of, named as in their files."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import (
    conv2d,
    conv_transpose2d,
    group_norm,
    one_hot,
    scaled_dot_product_attention,
    silu,
)

Resampling = Literal["down", "up"]


def outer_filter(taps: Sequence[float]) -> Tensor:
    """The separable filter of ``taps`` that sums to 1, (1, 1, n, n)."""
    row = torch.tensor(taps, dtype=torch.float32)
    return (row.outer(row) / row.sum() ** 2)[None, None]


def resample(x: Tensor, kernel: Tensor, way: Resampling) -> Tensor:
    """Each channel of ``x`` filtered and halved (``down``), or doubled and filtered (``up``)."""
    channels = x.shape[1]
    margin = (kernel.shape[-1] - 1) // 2
    each = kernel.to(x.dtype).expand(channels, 1, -1, -1)
    if way == "down":
        return conv2d(x, each, stride=2, padding=margin, groups=channels)
    return conv_transpose2d(x, 4 * each, stride=2, padding=margin, groups=channels)


class Resample(nn.Module):
    """The image at half or twice its size, without weights."""

    resample_filter: Tensor

    def __init__(self, way: Resampling, taps: Sequence[float]) -> None:
        super().__init__()
        self.way: Resampling = way
        self.register_buffer("resample_filter", outer_filter(taps))

    def forward(self, x: Tensor) -> Tensor:
        return resample(x, self.resample_filter, self.way)


class Conv(nn.Conv2d):
    """Convolution to images of the same size, or of half or twice the size where a ``way`` is told.

    The image is resampled first; in a ``fused`` one (``down`` alone) last, with one margin for both
    filters.
    """

    resample_filter: Tensor

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        way: Resampling | None = None,
        taps: Sequence[float] = (1, 1),
        *,
        fused: bool = False,
    ) -> None:
        super().__init__(inputs, outputs, kernel, padding=kernel // 2)
        self.way = way
        self.fused = fused
        self.register_buffer("resample_filter", None if way is None else outer_filter(taps))

    def forward(self, x: Tensor) -> Tensor:
        if self.way is None:
            return super().forward(x)
        if not self.fused:
            return super().forward(resample(x, self.resample_filter, self.way))
        margin = self.kernel_size[0] // 2 + (self.resample_filter.shape[-1] - 1) // 2
        wide = conv2d(x, self.weight, padding=margin)
        each = self.resample_filter.to(x.dtype).expand(wide.shape[1], 1, -1, -1)
        halved = conv2d(wide, each, stride=2, groups=wide.shape[1])
        return halved + self.bias[:, None, None]  # type: ignore[index]


class GroupNorm(nn.Module):
    """Group normalisation in at most 32 groups of at least 4 channels."""

    def __init__(self, channels: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.groups = min(32, channels // 4)
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        return group_norm(x, self.groups, self.weight, self.bias, self.eps)


@dataclass(frozen=True)
class BlockStyle:
    """What all blocks of a network share: width of the embedding, how it enters, heads, filter.

    ``scale_shift``: the embedding scales and shifts what is normalised; otherwise it is added
    before. ``heads``: attention heads, or ``None`` for one per 64 channels. ``skip_scale``:
    factor of every sum with a skip connection. ``convolve_skip``: a skip connection that is
    resampled has a convolution even where the channels stay.
    """

    embedding: int
    scale_shift: bool
    heads: int | None
    skip_scale: float
    eps: float
    taps: tuple[float, ...]
    convolve_skip: bool


class UNetBlock(nn.Module):
    """Two normalised convolutions with the embedding between, a skip connection, attention."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        style: BlockStyle,
        way: Resampling | None = None,
        *,
        attention: bool = False,
    ) -> None:
        super().__init__()
        self.inputs = inputs
        self.style = style
        self.heads = 0
        if attention:
            self.heads = outputs // 64 if style.heads is None else style.heads
        eps, taps = style.eps, style.taps
        self.norm0 = GroupNorm(inputs, eps)
        self.conv0 = Conv(inputs, outputs, 3, way, taps)
        self.affine = nn.Linear(style.embedding, outputs * (2 if style.scale_shift else 1))
        self.norm1 = GroupNorm(outputs, eps)
        self.conv1 = Conv(outputs, outputs, 3)
        self.skip: nn.Module | None = None
        if inputs != outputs or (way is not None and style.convolve_skip):
            self.skip = Conv(inputs, outputs, 1, way, taps)
        elif way is not None:
            self.skip = Resample(way, taps)
        if self.heads:
            self.norm2 = GroupNorm(outputs, eps)
            self.qkv = Conv(outputs, 3 * outputs, 1)
            self.proj = Conv(outputs, outputs, 1)

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        h = self.conv0(silu(self.norm0(x)))
        told = self.affine(embedding)[:, :, None, None]
        if self.style.scale_shift:
            scale, shift = told.chunk(2, dim=1)
            h = torch.addcmul(shift, self.norm1(h), scale + 1)
        else:
            h = self.norm1(h + told)
        h = self.conv1(silu(h)) + (x if self.skip is None else self.skip(x))
        h = h * self.style.skip_scale
        return self._attend(h) * self.style.skip_scale if self.heads else h

    def _attend(self, h: Tensor) -> Tensor:
        b, channels, height, width = h.shape
        qkv = self.qkv(self.norm2(h))
        qkv = qkv.reshape(b, self.heads, channels // self.heads, 3, height * width)
        q, k, v = qkv.transpose(2, 4).unbind(3)
        mixed = scaled_dot_product_attention(q, k, v).transpose(2, 3)
        return h + self.proj(mixed.reshape(h.shape))


class PositionalEmbedding(nn.Module):
    """Cosines, then sines, of the noise coordinate at frequencies from 1 down to 1 / 10000.

    The last frequency is reached exactly with ``endpoint``.
    """

    frequencies: Tensor

    def __init__(self, size: int, *, endpoint: bool) -> None:
        super().__init__()
        steps = torch.arange(size // 2, dtype=torch.float32)
        frequencies = (1 / 10000) ** (steps / (size // 2 - endpoint))
        self.register_buffer("frequencies", frequencies, persistent=False)

    def forward(self, noise: Tensor) -> Tensor:
        phase = noise[:, None] * self.frequencies
        return torch.cat([phase.cos(), phase.sin()], dim=1)


class FourierEmbedding(nn.Module):
    """Cosines, then sines, of the noise coordinate at random frequencies that are stored."""

    freqs: Tensor

    def __init__(self, size: int) -> None:
        super().__init__()
        self.register_buffer("freqs", 16 * torch.randn(size // 2))

    def forward(self, noise: Tensor) -> Tensor:
        phase = noise[:, None] * (2 * math.pi * self.freqs)
        return torch.cat([phase.cos(), phase.sin()], dim=1)


def class_vectors(labels: Tensor | None, classes: int, like: Tensor) -> Tensor:
    """A row for each of ``like``: 1 in the place of its label, or zeros where there are none."""
    if labels is None:
        return like.new_zeros(len(like), classes)
    return one_hot(labels, classes).to(like.dtype)
