"""The DDPM++ and NCSN++ networks of Song et al. 2021, in the layout of Karras et al. 2022."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import silu

from invscore.networks.foreign.karras_blocks import (
    BlockStyle,
    Conv,
    FourierEmbedding,
    GroupNorm,
    PositionalEmbedding,
    Resample,
    UNetBlock,
    class_vectors,
)


class SongUNet(nn.Module):
    """``forward(x, noise, labels)``: images (b, in_channels, h, w), noise coordinates (b,) and, of
    a network with ``label_dim`` classes, labels (b,), whole numbers (none: no class).

    DDPM++ has a ``positional`` embedding and ``standard`` encoder; NCSN++ a ``fourier`` embedding
    and an encoder that feeds the image in at each resolution (``residual``, or ``skip`` with a
    decoder of the same kind). h and w are multiples of ``2 ** (len(channel_mult) - 1)``;
    ``img_resolution`` is the trained size, by which the blocks are named and attention is placed.
    Dropout and the embedding of augmentations, which are for training, do nothing here.
    """

    def __init__(
        self,
        img_resolution: int,
        in_channels: int,
        out_channels: int,
        label_dim: int = 0,
        augment_dim: int = 0,
        model_channels: int = 128,
        channel_mult: Sequence[int] = (1, 2, 2, 2),
        channel_mult_emb: int = 4,
        num_blocks: int = 4,
        attn_resolutions: Sequence[int] = (16,),
        embedding_type: Literal["positional", "fourier"] = "positional",
        channel_mult_noise: int = 1,
        encoder_type: Literal["standard", "skip", "residual"] = "standard",
        decoder_type: Literal["standard", "skip"] = "standard",
        resample_filter: Sequence[float] = (1, 1),
    ) -> None:
        super().__init__()
        self.label_dim = label_dim
        taps = tuple(resample_filter)
        width = model_channels * channel_mult_noise
        embedding = model_channels * channel_mult_emb
        style = BlockStyle(
            embedding=embedding,
            scale_shift=False,
            heads=1,
            skip_scale=math.sqrt(0.5),
            eps=1e-6,
            taps=taps,
            convolve_skip=True,
        )

        def block(inputs: int, outputs: int, **options: Any) -> UNetBlock:
            return UNetBlock(inputs, outputs, style, **options)

        self.map_noise: nn.Module
        if embedding_type == "fourier":
            self.map_noise = FourierEmbedding(width)
        else:
            self.map_noise = PositionalEmbedding(width, endpoint=True)
        if label_dim:
            self.map_label = nn.Linear(label_dim, width)
        if augment_dim:
            self.map_augment = nn.Linear(augment_dim, width, bias=False)
        self.map_layer0 = nn.Linear(width, embedding)
        self.map_layer1 = nn.Linear(embedding, embedding)

        coarsest = len(channel_mult) - 1
        sizes = [img_resolution >> level for level in range(coarsest + 1)]
        places = [f"{size}x{size}" for size in sizes]
        attends = [size in attn_resolutions for size in sizes]

        self.enc = nn.ModuleDict({f"{places[0]}_conv": Conv(in_channels, model_channels, 3)})
        now, fed, skips = model_channels, in_channels, [model_channels]
        for level, mult in enumerate(channel_mult):
            place = places[level]
            if level > 0:
                self.enc[f"{place}_down"] = block(now, now, way="down")
                skips.append(now)
                if encoder_type == "skip":
                    self.enc[f"{place}_aux_down"] = Resample("down", taps)
                    self.enc[f"{place}_aux_skip"] = Conv(fed, now, 1)
                elif encoder_type == "residual":
                    self.enc[f"{place}_aux_residual"] = Conv(fed, now, 3, "down", taps, fused=True)
                    fed = now
            for index in range(num_blocks):
                before, now = now, model_channels * mult
                self.enc[f"{place}_block{index}"] = block(before, now, attention=attends[level])
                skips.append(now)

        self.dec = nn.ModuleDict()
        for level in range(coarsest, -1, -1):
            place = places[level]
            if level == coarsest:
                self.dec[f"{place}_in0"] = block(now, now, attention=True)
                self.dec[f"{place}_in1"] = block(now, now)
            else:
                self.dec[f"{place}_up"] = block(now, now, way="up")
            for index in range(num_blocks + 1):
                before, now = now + skips.pop(), model_channels * channel_mult[level]
                attention = attends[level] and index == num_blocks
                self.dec[f"{place}_block{index}"] = block(before, now, attention=attention)
            if decoder_type == "skip" or level == 0:
                if decoder_type == "skip" and level < coarsest:
                    self.dec[f"{place}_aux_up"] = Resample("up", taps)
                self.dec[f"{place}_aux_norm"] = GroupNorm(now, 1e-6)
                self.dec[f"{place}_aux_conv"] = Conv(now, out_channels, 3)

    def forward(self, x: Tensor, noise: Tensor, labels: Tensor | None = None) -> Tensor:
        embedding = self._embed(noise, labels)
        skips: list[Tensor] = []
        fed = h = x
        for name, part in self.enc.items():
            if name.endswith("_aux_down"):
                fed = part(fed)
            elif name.endswith("_aux_skip"):
                h = skips[-1] = h + part(fed)
            elif name.endswith("_aux_residual"):
                h = skips[-1] = fed = (h + part(fed)) * math.sqrt(0.5)
            else:
                h = part(h, embedding) if isinstance(part, UNetBlock) else part(h)
                skips.append(h)

        made: Tensor | None = None
        for name, part in self.dec.items():
            if name.endswith("_aux_up"):
                made = part(made)
            elif name.endswith("_aux_norm"):
                normed = part(h)
            elif name.endswith("_aux_conv"):
                new = part(silu(normed))
                made = new if made is None else made + new
            else:
                wide = h.shape[1] != part.inputs
                h = part(torch.cat([h, skips.pop()], 1) if wide else h, embedding)
        assert made is not None
        return made

    def _embed(self, noise: Tensor, labels: Tensor | None) -> Tensor:
        cosines, sines = self.map_noise(noise).chunk(2, dim=1)
        h = torch.cat([sines, cosines], dim=1)
        if self.label_dim:
            known = class_vectors(labels, self.label_dim, h)
            h = h + self.map_label(known * math.sqrt(self.label_dim))
        return silu(self.map_layer1(silu(self.map_layer0(h))))


class ScoreUNet(SongUNet):
    """UNet of Song et al. 2021: images of [0, 1] and sigma go in, the score comes out."""

    def forward(self, x: Tensor, noise: Tensor, labels: Tensor | None = None) -> Tensor:
        return super().forward(2 * x - 1, noise.log(), labels) / noise[:, None, None, None]
