"""The UNet of k-diffusion, ``ImageDenoiserModelV1`` (Crowson 2022)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import (
    conv2d,
    conv_transpose2d,
    gelu,
    group_norm,
    pad,
    pixel_shuffle,
    pixel_unshuffle,
    scaled_dot_product_attention,
)

GROUP, HEAD = 32, 64  # channels


class AdaptiveNorm(nn.Module):
    """Group normalisation that the embedding scales and shifts."""

    def __init__(self, embedding: int, channels: int, groups: int) -> None:
        super().__init__()
        self.groups = groups
        self.mapper = nn.Linear(embedding, 2 * channels)

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        scale, shift = self.mapper(embedding)[:, :, None, None].chunk(2, dim=1)
        return torch.addcmul(shift, group_norm(x, self.groups), scale + 1)


class ResidualBlock(nn.Module):
    """Two convolutions, each after an adaptive norm and GELU, and a skip connection.

    The numbers are the places of the layers in a sequence with activations and dropout.
    """

    def __init__(self, embedding: int, inputs: int, middle: int, outputs: int) -> None:
        super().__init__()
        layers = {
            "0": AdaptiveNorm(embedding, inputs, max(1, inputs // GROUP)),
            "2": nn.Conv2d(inputs, middle, 3, padding=1),
            "4": AdaptiveNorm(embedding, middle, max(1, middle // GROUP)),
            "6": nn.Conv2d(middle, outputs, 3, padding=1),
        }
        self.main = nn.ModuleDict(layers)
        self.skip = None if inputs == outputs else nn.Conv2d(inputs, outputs, 1, bias=False)

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        h = self.main["2"](gelu(self.main["0"](x, embedding)))
        h = self.main["6"](gelu(self.main["4"](h, embedding)))
        return h + (x if self.skip is None else self.skip(x))


class SelfAttention(nn.Module):
    """Attention between the places of an image, in heads of 64 channels."""

    def __init__(self, embedding: int, width: int) -> None:
        super().__init__()
        self.heads = max(1, width // HEAD)
        self.norm_in = AdaptiveNorm(embedding, width, max(1, width // GROUP))
        self.qkv_proj = nn.Conv2d(width, 3 * width, 1)
        self.out_proj = nn.Conv2d(width, width, 1)

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        b, width, height, breadth = x.shape
        qkv = self.qkv_proj(self.norm_in(x, embedding))
        qkv = qkv.reshape(b, 3 * self.heads, width // self.heads, height * breadth)
        q, k, v = qkv.transpose(2, 3).chunk(3, dim=1)
        mixed = scaled_dot_product_attention(q, k, v).transpose(2, 3)
        return x + self.out_proj(mixed.reshape(x.shape))


class Half(nn.Module):
    """The image at half its size, by the filter 1 3 3 1, reflected at its border."""

    kernel: Tensor

    def __init__(self) -> None:
        super().__init__()
        row = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 8
        self.register_buffer("kernel", row.outer(row))

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:  # noqa: ARG002
        each = self.kernel.expand(x.shape[1], 1, -1, -1)
        return conv2d(pad(x, (1, 1, 1, 1), "reflect"), each, stride=2, groups=x.shape[1])


class Twice(nn.Module):
    """The image at twice its size, by the filter 1 3 3 1, reflected at its border."""

    kernel: Tensor

    def __init__(self) -> None:
        super().__init__()
        row = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 4
        self.register_buffer("kernel", row.outer(row))

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:  # noqa: ARG002
        each = self.kernel.expand(x.shape[1], 1, -1, -1)
        wide = pad(x, (1, 1, 1, 1), "reflect")
        return conv_transpose2d(wide, each, stride=2, padding=3, groups=x.shape[1])


class Same(nn.Module):
    """The image as it is."""

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:  # noqa: ARG002
        return x


class FourierFeatures(nn.Module):
    """Cosines, then sines, of the noise coordinate at random frequencies that are stored."""

    weight: Tensor

    def __init__(self, size: int) -> None:
        super().__init__()
        self.register_buffer("weight", torch.randn(size // 2, 1))

    def forward(self, noise: Tensor) -> Tensor:
        phase = 2 * math.pi * noise[:, None] * self.weight[:, 0]
        return torch.cat([phase.cos(), phase.sin()], dim=1)


class KDiffusionUNet(nn.Module):
    """``forward(x, noise)``: images (b, input_channels, h, w) and noise coordinates (b,).

    ``depths`` and ``channels`` of each resolution, ``self_attn_depths`` whether it has attention.
    The first ``skip_stages`` resolutions are left out. ``mapping_cond_dim`` conditions that are all
    zero enter, as those of augmentation. h and w are multiples of ``patch_size`` times a 2 for each
    halving. Of a network with ``has_variance`` the last channel is left away.
    """

    def __init__(
        self,
        input_channels: int,
        mapping_out: int,
        depths: Sequence[int],
        channels: Sequence[int],
        self_attn_depths: Sequence[bool],
        patch_size: int = 1,
        skip_stages: int = 0,
        mapping_cond_dim: int = 0,
        *,
        has_variance: bool = False,
    ) -> None:
        super().__init__()
        self.patch_size, self.skip_stages = patch_size, skip_stages
        self.outputs = input_channels * patch_size**2
        first = channels[max(0, skip_stages - 1)]
        self.timestep_embed = FourierFeatures(mapping_out)
        if mapping_cond_dim:
            self.mapping_cond = nn.Linear(mapping_cond_dim, mapping_out, bias=False)
        one, two = (nn.Linear(mapping_out, mapping_out) for _ in range(2))
        self.mapping = nn.Sequential(one, nn.GELU(), two, nn.GELU())
        self.proj_in = nn.Conv2d(self.outputs, first, 1)
        self.proj_out = nn.Conv2d(first, self.outputs + has_variance, 1)

        def stage(level: int, inputs: int, outputs: int) -> list[nn.Module]:
            made: list[nn.Module] = []
            width = channels[level]
            for i in range(depths[level]):
                last = i == depths[level] - 1
                now = outputs if last else width
                made.append(ResidualBlock(mapping_out, width if i else inputs, width, now))
                if self_attn_depths[level]:
                    made.append(SelfAttention(mapping_out, now))
            return made

        down, up = nn.ModuleList(), nn.ModuleList()
        coarsest = len(depths) - 1
        for level, width in enumerate(channels):
            finer = channels[max(0, level - 1)]
            halved = level > skip_stages
            blocks = stage(level, finer, width)
            down.append(nn.ModuleList([Half() if halved else Same(), *blocks]))
            blocks = stage(level, width if level == coarsest else 2 * width, finer)
            up.insert(0, nn.ModuleList([*blocks, Twice() if halved else Same()]))
        self.u_net = nn.ModuleDict({"d_blocks": down, "u_blocks": up})

    def forward(self, x: Tensor, noise: Tensor) -> Tensor:
        embedding = self.mapping(self.timestep_embed(noise))
        down, up = (list(self.u_net[side].children()) for side in ("d_blocks", "u_blocks"))
        h = self.proj_in(pixel_unshuffle(x, self.patch_size))
        skips = []
        for blocks in down[self.skip_stages :]:
            h = _run(blocks, h, embedding)
            skips.append(h)
        skips.pop()
        for i, blocks in enumerate(up[: len(down) - self.skip_stages]):
            h = _run(blocks, torch.cat([h, skips.pop()], dim=1) if i else h, embedding)
        return pixel_shuffle(self.proj_out(h)[:, : self.outputs], self.patch_size)


def _run(blocks: nn.Module, h: Tensor, embedding: Tensor) -> Tensor:
    for block in blocks.children():
        h = block(h, embedding)
    return h
