"""The magnitude-preserving UNet of Karras et al. 2024 ("EDM2"), in the layout of its files."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.linalg import vector_norm
from torch.nn.functional import conv2d, scaled_dot_product_attention, silu

from invscore.networks.foreign.karras_blocks import (
    Resampling,
    class_vectors,
    outer_filter,
    resample,
)

EPS = 1e-4


def normalise(x: Tensor, dims: int | list[int]) -> Tensor:
    """``x`` divided by its root mean square over ``dims`` (Eq. 27, with its small constant)."""
    norm = vector_norm(x, dim=dims, keepdim=True)
    return x / (EPS + norm * math.sqrt(norm.numel() / x.numel()))


def mp_silu(x: Tensor) -> Tensor:
    """SiLU that keeps unit magnitude (Eq. 81)."""
    return silu(x) / 0.596


def mp_sum(a: Tensor, b: Tensor, t: float) -> Tensor:
    """``(1 - t) a + t b`` at unit magnitude (Eq. 88)."""
    return a.lerp(b, t) / math.hypot(1 - t, t)


def mp_cat(a: Tensor, b: Tensor, t: float) -> Tensor:
    """Both in one, their magnitudes as ``1 - t`` to ``t`` (Eq. 103)."""
    width_a, width_b = a.shape[1], b.shape[1]
    scale = math.sqrt(width_a + width_b) / math.hypot(1 - t, t)
    a = a * (scale * (1 - t) / math.sqrt(width_a))
    return torch.cat([a, b * (scale * t / math.sqrt(width_b))], dim=1)


class MPFourier(nn.Module):
    """Cosines of the noise coordinate at random frequencies and phases that are stored (Eq. 75)."""

    freqs: Tensor
    phases: Tensor

    def __init__(self, size: int) -> None:
        super().__init__()
        self.register_buffer("freqs", 2 * math.pi * torch.randn(size))
        self.register_buffer("phases", 2 * math.pi * torch.rand(size))

    def forward(self, noise: Tensor) -> Tensor:
        return math.sqrt(2) * (noise[:, None] * self.freqs + self.phases).cos()


class MPConv(nn.Module):
    """Convolution (or, without a kernel, linear layer) whose weights are normalised (Eq. 47)."""

    def __init__(self, inputs: int, outputs: int, kernel: int | None = None) -> None:
        super().__init__()
        shape = (outputs, inputs) if kernel is None else (outputs, inputs, kernel, kernel)
        self.weight = nn.Parameter(torch.randn(shape))

    def forward(self, x: Tensor, gain: Tensor | float = 1.0) -> Tensor:
        w = normalise(self.weight, list(range(1, self.weight.ndim)))
        w = w * (gain / math.sqrt(w[0].numel()))
        return x @ w.t() if w.ndim == 2 else conv2d(x, w, padding=w.shape[-1] // 2)


class MPBlock(nn.Module):
    """Two convolutions with the embedding between, a weighted skip connection, attention."""

    kernel: Tensor

    def __init__(
        self,
        inputs: int,
        outputs: int,
        embedding: int,
        side: Literal["enc", "dec"],
        way: Resampling | None = None,
        *,
        attention: bool = False,
        resample_filter: Sequence[float] = (1, 1),
        channels_per_head: int = 64,
        res_balance: float = 0.3,
        attn_balance: float = 0.3,
        clip_act: float | None = 256,
    ) -> None:
        super().__init__()
        self.side, self.way = side, way
        self.heads = outputs // channels_per_head if attention else 0
        self.res_balance, self.attn_balance = res_balance, attn_balance
        self.clip_act = clip_act
        self.register_buffer("kernel", outer_filter(resample_filter), persistent=False)
        self.emb_gain = nn.Parameter(torch.zeros(()))
        self.conv_res0 = MPConv(outputs if side == "enc" else inputs, outputs, 3)
        self.emb_linear = MPConv(embedding, outputs)
        self.conv_res1 = MPConv(outputs, outputs, 3)
        self.conv_skip = None if inputs == outputs else MPConv(inputs, outputs, 1)
        self.attn_qkv = MPConv(outputs, 3 * outputs, 1) if self.heads else None
        self.attn_proj = MPConv(outputs, outputs, 1) if self.heads else None

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        if self.way is not None:
            x = resample(x, self.kernel, self.way)
        if self.side == "enc":
            x = normalise(x if self.conv_skip is None else self.conv_skip(x), 1)
        h = self.conv_res0(mp_silu(x))
        h = mp_silu(h * (self.emb_linear(embedding, self.emb_gain) + 1)[:, :, None, None])
        if self.side == "dec" and self.conv_skip is not None:
            x = self.conv_skip(x)
        x = mp_sum(x, self.conv_res1(h), self.res_balance)
        if self.attn_qkv is not None and self.attn_proj is not None:
            x = mp_sum(x, self.attn_proj(self._mix(self.attn_qkv(x))), self.attn_balance)
        return x if self.clip_act is None else x.clamp(-self.clip_act, self.clip_act)

    def _mix(self, qkv: Tensor) -> Tensor:
        b, triple, height, width = qkv.shape
        qkv = qkv.reshape(b, self.heads, triple // 3 // self.heads, 3, height * width)
        q, k, v = normalise(qkv, 2).transpose(2, 4).unbind(3)
        mixed = scaled_dot_product_attention(q, k, v).transpose(2, 3)
        return mixed.reshape(b, triple // 3, height, width)


class EDM2UNet(nn.Module):
    """``forward(x, noise, labels)``: images (b, img_channels, h, w), noise coordinates (b,) and, of
    a network with ``label_dim`` classes, labels (b,), whole numbers (none: no class).

    h and w are multiples of ``2 ** (len(channel_mult) - 1)``; ``img_resolution`` is the trained
    size, by which the blocks are named and attention is placed. Further options are those of
    ``MPBlock``.
    """

    def __init__(
        self,
        img_resolution: int,
        img_channels: int,
        label_dim: int = 0,
        model_channels: int = 192,
        channel_mult: Sequence[int] = (1, 2, 3, 4),
        channel_mult_noise: int | None = None,
        channel_mult_emb: int | None = None,
        num_blocks: int = 3,
        attn_resolutions: Sequence[int] = (16, 8),
        label_balance: float = 0.5,
        concat_balance: float = 0.5,
        **block_options: float | Sequence[float] | None,
    ) -> None:
        super().__init__()
        self.label_dim = label_dim
        self.label_balance, self.concat_balance = label_balance, concat_balance
        widths = [model_channels * mult for mult in channel_mult]
        noise = model_channels * (channel_mult_noise or channel_mult[0])
        embedding = model_channels * (channel_mult_emb or max(channel_mult))

        def block(
            inputs: int,
            outputs: int,
            side: Literal["enc", "dec"],
            way: Resampling | None = None,
            *,
            attention: bool = False,
        ) -> MPBlock:
            options: dict[str, object] = {"attention": attention, **block_options}
            return MPBlock(inputs, outputs, embedding, side, way, **options)  # type: ignore[arg-type]

        self.out_gain = nn.Parameter(torch.zeros(()))
        self.emb_fourier = MPFourier(noise)
        self.emb_noise = MPConv(noise, embedding)
        if label_dim:
            self.emb_label = MPConv(label_dim, embedding)

        coarsest = len(channel_mult) - 1
        sizes = [img_resolution >> level for level in range(coarsest + 1)]
        now = widths[0]  # the images get a channel of ones
        first = MPConv(img_channels + 1, now, 3)
        self.enc = nn.ModuleDict({f"{sizes[0]}x{sizes[0]}_conv": first})
        skips = [now]
        for level, (size, width) in enumerate(zip(sizes, widths, strict=True)):
            if level > 0:
                self.enc[f"{size}x{size}_down"] = block(now, now, "enc", "down")
                skips.append(now)
            for index in range(num_blocks):
                attention = size in attn_resolutions
                made = block(now, width, "enc", attention=attention)
                self.enc[f"{size}x{size}_block{index}"] = made
                now = width
                skips.append(now)

        self.dec = nn.ModuleDict()
        for level in range(coarsest, -1, -1):
            size, width = sizes[level], widths[level]
            if level == coarsest:
                self.dec[f"{size}x{size}_in0"] = block(now, now, "dec", attention=True)
                self.dec[f"{size}x{size}_in1"] = block(now, now, "dec")
            else:
                self.dec[f"{size}x{size}_up"] = block(now, now, "dec", "up")
            for index in range(num_blocks + 1):
                before, now = now + skips.pop(), width
                made = block(before, now, "dec", attention=size in attn_resolutions)
                self.dec[f"{size}x{size}_block{index}"] = made
        self.out_conv = MPConv(now, img_channels, 3)

    def forward(self, x: Tensor, noise: Tensor, labels: Tensor | None = None) -> Tensor:
        embedding = self.emb_noise(self.emb_fourier(noise))
        if self.label_dim:
            known = class_vectors(labels, self.label_dim, embedding)
            told = self.emb_label(known * math.sqrt(self.label_dim))
            embedding = mp_sum(embedding, told, self.label_balance)
        embedding = mp_silu(embedding)

        h, skips = torch.cat([x, torch.ones_like(x[:, :1])], dim=1), []
        for part in self.enc.values():
            h = part(h, embedding) if isinstance(part, MPBlock) else part(h)
            skips.append(h)
        for name, part in self.dec.items():
            if "block" in name:
                h = mp_cat(h, skips.pop(), self.concat_balance)
            h = part(h, embedding)
        return self.out_conv(h, self.out_gain)
