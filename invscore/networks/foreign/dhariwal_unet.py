"""The ADM network of Dhariwal & Nichol 2021, in the layout of Karras et al. 2022."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import silu

from invscore.networks.foreign.karras_blocks import (
    BlockStyle,
    Conv,
    GroupNorm,
    PositionalEmbedding,
    UNetBlock,
    class_vectors,
)


class DhariwalUNet(nn.Module):
    """``forward(x, noise, labels)``: images (b, in_channels, h, w), noise coordinates (b,) and, of
    a network with ``label_dim`` classes, labels (b,), whole numbers (none: no class).

    h and w are multiples of ``2 ** (len(channel_mult) - 1)``; ``img_resolution`` is the trained
    size, by which the blocks are named and attention is placed. Dropout and the embedding of
    augmentations, which are for training, do nothing here.
    """

    def __init__(
        self,
        img_resolution: int,
        in_channels: int,
        out_channels: int,
        label_dim: int = 0,
        augment_dim: int = 0,
        model_channels: int = 192,
        channel_mult: Sequence[int] = (1, 2, 3, 4),
        channel_mult_emb: int = 4,
        num_blocks: int = 3,
        attn_resolutions: Sequence[int] = (32, 16, 8),
    ) -> None:
        super().__init__()
        self.label_dim = label_dim
        embedding = model_channels * channel_mult_emb
        style = BlockStyle(
            embedding=embedding,
            scale_shift=True,
            heads=None,
            skip_scale=1.0,
            eps=1e-5,
            taps=(1, 1),
            convolve_skip=False,
        )

        def block(inputs: int, outputs: int, **options: Any) -> UNetBlock:
            return UNetBlock(inputs, outputs, style, **options)

        self.map_noise = PositionalEmbedding(model_channels, endpoint=False)
        if augment_dim:
            self.map_augment = nn.Linear(augment_dim, model_channels, bias=False)
        self.map_layer0 = nn.Linear(model_channels, embedding)
        self.map_layer1 = nn.Linear(embedding, embedding)
        if label_dim:
            self.map_label = nn.Linear(label_dim, embedding, bias=False)

        coarsest = len(channel_mult) - 1
        sizes = [img_resolution >> level for level in range(coarsest + 1)]
        widths = [model_channels * mult for mult in channel_mult]

        now = widths[0]
        self.enc = nn.ModuleDict({f"{sizes[0]}x{sizes[0]}_conv": Conv(in_channels, now, 3)})
        skips = [now]
        for level, (size, width) in enumerate(zip(sizes, widths, strict=True)):
            if level > 0:
                self.enc[f"{size}x{size}_down"] = block(now, now, way="down")
                skips.append(now)
            for index in range(num_blocks):
                attention = size in attn_resolutions
                self.enc[f"{size}x{size}_block{index}"] = block(now, width, attention=attention)
                now = width
                skips.append(now)

        self.dec = nn.ModuleDict()
        for level in range(coarsest, -1, -1):
            size, width = sizes[level], widths[level]
            if level == coarsest:
                self.dec[f"{size}x{size}_in0"] = block(now, now, attention=True)
                self.dec[f"{size}x{size}_in1"] = block(now, now)
            else:
                self.dec[f"{size}x{size}_up"] = block(now, now, way="up")
            for index in range(num_blocks + 1):
                before, now = now + skips.pop(), width
                attention = size in attn_resolutions
                self.dec[f"{size}x{size}_block{index}"] = block(before, now, attention=attention)
        self.out_norm = GroupNorm(now)
        self.out_conv = Conv(now, out_channels, 3)

    def forward(self, x: Tensor, noise: Tensor, labels: Tensor | None = None) -> Tensor:
        embedding = self.map_layer1(silu(self.map_layer0(self.map_noise(noise))))
        if self.label_dim:
            known = class_vectors(labels, self.label_dim, embedding)
            embedding = embedding + self.map_label(known)
        embedding = silu(embedding)

        h, skips = x, []
        for part in self.enc.values():
            h = part(h, embedding) if isinstance(part, UNetBlock) else part(h)
            skips.append(h)
        for part in self.dec.values():
            wide = h.shape[1] != part.inputs
            h = part(torch.cat([h, skips.pop()], 1) if wide else h, embedding)
        return self.out_conv(silu(self.out_norm(h)))
