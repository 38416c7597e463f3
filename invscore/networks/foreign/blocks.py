"""Blocks of the residual UNets in the wake of Ho et al. (2020, App. B)."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.functional import (
    avg_pool2d,
    conv2d,
    conv_transpose2d,
    interpolate,
    pad,
    scaled_dot_product_attention,
)

Resample = Callable[[Tensor], Tensor]


def sinusoid(
    t: Tensor, width: int, *, cosine_first: bool, shift: float, period: float = 10_000.0
) -> Tensor:
    """Cosines and sines of the times ``t``, (b,), at geometric frequencies: (b, width).

    ``width / 2`` frequencies ``period^(-k / (width / 2 - shift))``, k = 0, 1, ...; a zero fills up
    an odd ``width``. Computed in float32, whatever the weights are in.
    """
    half = width // 2
    steps = torch.arange(half, dtype=torch.float32, device=t.device)
    phase = t.float()[:, None] * torch.exp(steps * (-math.log(period) / (half - shift)))
    waves = [phase.cos(), phase.sin()] if cosine_first else [phase.sin(), phase.cos()]
    return pad(torch.cat(waves, dim=1), (0, width % 2))


def halve(x: Tensor) -> Tensor:
    """Means of 2 x 2 pixels."""
    return avg_pool2d(x, 2)


def double(x: Tensor) -> Tensor:
    """Every pixel repeated 2 x 2 times."""
    return interpolate(x, scale_factor=2.0, mode="nearest")


def _binomial(x: Tensor) -> Tensor:
    taps = torch.tensor([1.0, 3.0, 3.0, 1.0], dtype=x.dtype, device=x.device) / 8
    return torch.outer(taps, taps).expand(x.shape[1], 1, 4, 4)


def smooth_halve(x: Tensor) -> Tensor:
    """Every second pixel after a blur by (1, 3, 3, 1) / 8 in both directions."""
    return conv2d(x, _binomial(x), stride=2, padding=1, groups=x.shape[1])


def smooth_double(x: Tensor) -> Tensor:
    """The transpose of ``smooth_halve``, times 4: it keeps the mean."""
    return conv_transpose2d(x, 4 * _binomial(x), stride=2, padding=1, groups=x.shape[1])


class ResidualBlock(nn.Module):
    """``(shortcut(x) + conv(act(norm(conv(act(norm(x))) + time)))) / scale``.

    ``scale_shift``: the time enters as a factor and a summand after the second norm, else as a
    summand before it. ``resample`` changes the size of x and of what the first convolution sees.
    ``groups`` are those of the two norms; ``shortcut`` forces the 1 x 1 convolution.
    """

    def __init__(
        self,
        width: int,
        out: int,
        embedding: int,
        *,
        groups: tuple[int, int],
        eps: float,
        act: Callable[[Tensor], Tensor],
        scale_shift: bool = False,
        scale: float = 1.0,
        resample: Resample | None = None,
        shortcut: bool = False,
    ) -> None:
        super().__init__()
        self.act, self.scale, self.resample, self.scale_shift = act, scale, resample, scale_shift
        self.norm_in = nn.GroupNorm(groups[0], width, eps)
        self.conv_in = nn.Conv2d(width, out, 3, padding=1)
        self.time = nn.Linear(embedding, 2 * out if scale_shift else out)
        self.norm_out = nn.GroupNorm(groups[1], out, eps)
        self.conv_out = nn.Conv2d(out, out, 3, padding=1)
        self.shortcut = nn.Conv2d(width, out, 1) if shortcut or width != out else nn.Identity()

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        h = self.act(self.norm_in(x))
        if self.resample is not None:
            x, h = self.resample(x), self.resample(h)
        h = self.conv_in(h)
        time = self.time(self.act(embedding))[:, :, None, None]
        if self.scale_shift:
            factor, summand = time.chunk(2, dim=1)
            h = self.norm_out(h) * (1 + factor) + summand
        else:
            h = self.norm_out(h + time)
        return (self.shortcut(x) + self.conv_out(self.act(h))) / self.scale


class Attention(nn.Module):
    """``(x + out(softmax(q k^T / sqrt(d)) v)) / scale`` among all places of a normed image.

    The 3 width rows of ``qkv`` are all queries, all keys, all values; ``by_head``: query, key and
    value of the first head, of the second, ... No norm for ``groups=None``, no output layer for
    ``project=False``.
    """

    def __init__(
        self,
        width: int,
        heads: int,
        *,
        groups: int | None,
        eps: float,
        scale: float = 1.0,
        by_head: bool = False,
        project: bool = True,
    ) -> None:
        super().__init__()
        self.heads, self.scale, self.by_head = heads, scale, by_head
        self.norm = nn.Identity() if groups is None else nn.GroupNorm(groups, width, eps)
        self.qkv = nn.Conv2d(width, 3 * width, 1)
        self.out = nn.Conv2d(width, width, 1) if project else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        b, width = x.shape[:2]
        if self.by_head:
            qkv = self.qkv(self.norm(x)).reshape(b, self.heads, 3, width // self.heads, -1)
            qkv = qkv.transpose(1, 2)
        else:
            qkv = self.qkv(self.norm(x)).reshape(b, 3, self.heads, width // self.heads, -1)
        q, k, v = qkv.transpose(3, 4).unbind(1)
        mixed = scaled_dot_product_attention(q, k, v).transpose(2, 3).reshape(x.shape)
        return (x + self.out(mixed)) / self.scale


class HalveByConvolution(nn.Conv2d):
    """A 3 x 3 convolution with stride 2; ``corner``: zeros below and right, else on all sides."""

    def __init__(self, width: int, *, corner: bool = False) -> None:
        super().__init__(width, width, 3, stride=2, padding=0 if corner else 1)
        self.corner = corner

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(pad(x, (0, 1, 0, 1)) if self.corner else x)


class DoubleByConvolution(nn.Conv2d):
    """Pixels repeated 2 x 2 times and a 3 x 3 convolution."""

    def __init__(self, width: int) -> None:
        super().__init__(width, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(double(x))


ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "silu": torch.nn.functional.silu,
    "swish": torch.nn.functional.silu,
    "mish": torch.nn.functional.mish,
    "gelu": partial(torch.nn.functional.gelu, approximate="none"),
    "relu": torch.relu,
}
"""Activation functions by the names that configuration files give them."""
