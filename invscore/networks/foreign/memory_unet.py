"""The UNet of denoising-diffusion-pytorch: attention at every size, with keys of its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize, pixel_unshuffle, scaled_dot_product_attention, silu

from invscore.networks.foreign.blocks import double, sinusoid


@dataclass(frozen=True)
class Stage:
    """One resolution: channels in and out; heads, their channels and the learned keys and values
    of its attention, which is ``full`` or linear in the number of pixels."""

    width: int
    out: int
    heads: int
    head: int
    memory: int
    full: bool


class UnitNorm(nn.Module):
    """Every pixel's channels brought to a root mean square of ``g``."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.g = nn.Parameter(torch.ones(1, width, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return normalize(x, dim=1) * self.g * x.shape[1] ** 0.5


class Block(nn.Module):
    """``silu(film(norm(conv(x))))``."""

    def __init__(self, width: int, out: int, groups: int | None) -> None:
        super().__init__()
        self.proj = nn.Conv2d(width, out, 3, padding=1)
        self.norm = UnitNorm(out) if groups is None else nn.GroupNorm(groups, out)

    def forward(self, x: Tensor, film: tuple[Tensor, Tensor] | None = None) -> Tensor:
        h = self.norm(self.proj(x))
        return silu(h if film is None else h * (1 + film[0]) + film[1])


class ResidualBlock(nn.Module):
    """Two blocks, the first of which is told the time as a factor and a summand, and a shortcut."""

    def __init__(self, width: int, out: int, embedding: int, groups: int | None) -> None:
        super().__init__()
        self.mlp = nn.Sequential(nn.SiLU(), nn.Linear(embedding, 2 * out))
        self.block1 = Block(width, out, groups)
        self.block2 = Block(out, out, groups)
        self.res_conv = nn.Conv2d(width, out, 1) if width != out else nn.Identity()

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        factor, summand = self.mlp(embedding)[:, :, None, None].chunk(2, dim=1)
        return self.block2(self.block1(x, (factor, summand))) + self.res_conv(x)


class MemoryAttention(nn.Module):
    """``x`` and what attention gives, full or linear (Shen et al. 2021), with ``memory`` learned
    keys and values beside those of the pixels."""

    def __init__(self, width: int, heads: int, head: int, memory: int, full: bool) -> None:
        super().__init__()
        self.heads, self.full = heads, full
        self.norm = UnitNorm(width)
        shape = (memory, head) if full else (head, memory)
        self.mem_kv = nn.Parameter(torch.zeros(2, heads, *shape))
        self.to_qkv = nn.Conv2d(width, 3 * heads * head, 1, bias=False)
        out = nn.Conv2d(heads * head, width, 1)
        self.to_out = out if full else nn.Sequential(out, UnitNorm(width))

    def forward(self, x: Tensor) -> Tensor:
        b, _, height, width = x.shape
        qkv = self.to_qkv(self.norm(x)).reshape(b, 3, self.heads, -1, height * width)
        q, k, v = qkv.transpose(3, 4).unbind(1)  # (b, heads, pixels, channels)
        memory = self.mem_kv if self.full else self.mem_kv.transpose(2, 3)
        more_k, more_v = memory.unsqueeze(1).expand(-1, b, -1, -1, -1)
        k, v = torch.cat([more_k, k], dim=2), torch.cat([more_v, v], dim=2)
        if self.full:
            mixed = scaled_dot_product_attention(q, k, v)
        else:
            context = k.softmax(dim=2).transpose(2, 3) @ v
            mixed = q.softmax(dim=3) @ context * q.shape[3] ** -0.5
        mixed = mixed.transpose(2, 3).reshape(b, -1, height, width)
        return x + self.to_out(mixed)


class Halve(nn.Sequential):
    """Four neighbours as channels of one pixel, and a 1 x 1 convolution."""

    def __init__(self, width: int, out: int) -> None:
        super().__init__(nn.Identity(), nn.Conv2d(4 * width, out, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self[1](pixel_unshuffle(x, 2))


class Double(nn.Sequential):
    """Every pixel repeated 2 x 2 times, and a 3 x 3 convolution."""

    def __init__(self, width: int, out: int) -> None:
        super().__init__(nn.Identity(), nn.Conv2d(width, out, 3, padding=1))

    def forward(self, x: Tensor) -> Tensor:
        return self[1](double(x))


class MemoryUNet(nn.Module):
    """A UNet with two residual blocks and attention at every resolution.

    ``forward(x, t)`` maps (b, channels, h, w) and times (b,) to (b, out, h, w), with h and w
    multiples of ``multiple``. ``stages``: options of ``Stage``, finest first; ``middle``: heads,
    channels of a head and learned keys between the two sides; ``groups``: of the norms, or
    ``None`` for ``UnitNorm``; ``theta``: longest period of the time's waves over 2 pi;
    ``self_condition``: the network also takes an estimate of the image, told as zeros.
    """

    def __init__(
        self,
        *,
        channels: int,
        out: int,
        stages: Sequence[Mapping[str, Any]],
        middle: Sequence[int],
        time_width: int,
        time_out: int,
        groups: int | None = None,
        theta: float = 10_000.0,
        self_condition: bool = False,
    ) -> None:
        super().__init__()
        self.time_width, self.theta, self.self_condition = time_width, theta, self_condition
        levels = [Stage(**stage) for stage in stages]
        self.multiple = 2 ** (len(levels) - 1)
        first = levels[0].width

        def block(width: int, out: int) -> ResidualBlock:
            return ResidualBlock(width, out, time_out, groups)

        def attention(level: Stage, width: int) -> MemoryAttention:
            return MemoryAttention(width, level.heads, level.head, level.memory, level.full)

        self.init_conv = nn.Conv2d(channels * (2 if self_condition else 1), first, 7, padding=3)
        self.time_mlp = nn.Sequential(
            nn.Identity(), nn.Linear(time_width, time_out), nn.GELU(), nn.Linear(time_out, time_out)
        )
        self.downs, self.ups = nn.ModuleList(), nn.ModuleList()
        for level in levels:
            wide, leave = level.width, level.out
            last = nn.Conv2d(wide, leave, 3, padding=1) if level is levels[-1] else None
            parts = [block(wide, wide), block(wide, wide), attention(level, wide)]
            self.downs.append(nn.ModuleList([*parts, last or Halve(wide, leave)]))
        widest = levels[-1].out
        self.mid_block1 = block(widest, widest)
        heads, head, memory = middle
        self.mid_attn = MemoryAttention(widest, heads, head, memory, full=True)
        self.mid_block2 = block(widest, widest)
        for level in reversed(levels):
            wide, leave = level.out, level.width
            last = nn.Conv2d(wide, leave, 3, padding=1) if level is levels[0] else None
            parts = [block(wide + leave, wide), block(wide + leave, wide), attention(level, wide)]
            self.ups.append(nn.ModuleList([*parts, last or Double(wide, leave)]))
        self.final_res_block = block(2 * first, first)
        self.final_conv = nn.Conv2d(first, out, 1)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        waves = sinusoid(t, self.time_width, cosine_first=False, shift=1.0, period=self.theta)
        embedding = self.time_mlp(waves.to(x.dtype))
        if self.self_condition:
            x = torch.cat([torch.zeros_like(x), x], dim=1)
        x = start = self.init_conv(x)
        skips = []
        for first, second, attention, leave in cast(Iterable[Any], self.downs):
            x = first(x, embedding)
            skips.append(x)
            x = attention(second(x, embedding))
            skips.append(x)
            x = leave(x)
        x = self.mid_block2(self.mid_attn(self.mid_block1(x, embedding)), embedding)
        for first, second, attention, leave in cast(Iterable[Any], self.ups):
            x = first(torch.cat([x, skips.pop()], dim=1), embedding)
            x = second(torch.cat([x, skips.pop()], dim=1), embedding)
            x = leave(attention(x))
        return self.final_conv(self.final_res_block(torch.cat([x, start], dim=1), embedding))
