"""The NCSN++ of Song et al. (2021) as diffusers has it: images of every size come in and go out."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import torch
from torch import Tensor, nn

from invscore.networks.foreign.blocks import (
    ACTIVATIONS,
    Attention,
    ResidualBlock,
    smooth_double,
    smooth_halve,
)
from invscore.networks.foreign.embedding import TimeEmbedding


@dataclass(frozen=True)
class SkipLevel:
    """One resolution on one side: width, residual blocks, heads of attention or ``None``."""

    width: int
    blocks: int
    heads: int | None = None


@dataclass(frozen=True)
class SkipShape:
    """All that says what a ``SkipUNet`` computes, apart from its weights; see ``Shape``.

    ``groups`` are those of the middle and the end, ``None`` a quarter of the channels, 32 at most,
    as everywhere else.
    """

    channels: int
    out: int
    down: Sequence[SkipLevel]
    up: Sequence[SkipLevel]
    middle: int | None
    time_width: int
    time_out: int
    groups: int | None = None
    middle_groups: int | None = None
    eps: float = 1e-6
    act: str = "silu"
    middle_scale: float = math.sqrt(2)
    over_time: bool = True
    centre: bool = False
    embedding: dict[str, Any] = field(default_factory=dict)


class SkipStage(nn.Module):
    """Residual blocks and attention of one resolution, and what joins it to the next."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleList()
        self.attention = nn.ModuleList()
        self.resample: nn.Module | None = None
        self.image_norm: nn.Module | None = None
        self.image: nn.Module | None = None

    def step(self, index: int, h: Tensor, embedding: Tensor) -> Tensor:
        h = self.blocks[index](h, embedding)
        return self.attention[index](h) if self.attention else h


class SkipUNet(nn.Module):
    """A residual UNet that sees its input smoothed and halved at every resolution, and that sums
    images of every resolution to its output (Song et al. 2021, App. H, "input skip", "output
    skip"; Karras et al. 2020, Fig. 7).

    Its options are those of ``SkipShape``, ``down`` and ``up`` lists of options of ``SkipLevel``;
    ``forward(x, t, label)`` as for ``ResidualUNet``. Attention on the way up follows the last block
    alone.
    """

    def __init__(
        self, *, down: Sequence[Mapping[str, Any]], up: Sequence[Mapping[str, Any]], **options: Any
    ) -> None:
        super().__init__()
        shape = SkipShape(
            down=[SkipLevel(**level) for level in down],
            up=[SkipLevel(**level) for level in up],
            **options,
        )
        self.shape = shape
        self.multiple = 2 ** (len(shape.down) - 1)
        self.embed = TimeEmbedding(shape.time_width, shape.time_out, **shape.embedding)
        width = shape.down[0].width
        self.stem = nn.Conv2d(shape.channels, width, 3, padding=1)

        skips = [width]
        self.down = nn.ModuleList()
        for place, level in enumerate(shape.down):
            stage = SkipStage()
            for _ in range(level.blocks):
                stage.blocks.append(self._block(width, level.width, _quarter(width)))
                if level.heads is not None:
                    stage.attention.append(self._attention(level.width, level.heads))
                width = level.width
                skips.append(width)
            if place < len(shape.down) - 1:
                stage.resample = self._resample(width, smooth_halve)
                stage.image = nn.Conv2d(shape.channels, width, 1)
                skips.append(width)
            self.down.append(stage)

        groups = shape.groups or _quarter(width)
        norm = shape.middle_groups or groups
        scale = shape.middle_scale
        self.middle = SkipStage()
        for _ in range(2):
            self.middle.blocks.append(self._block(width, width, groups, groups, scale))
        if shape.middle is not None:
            self.middle.attention.append(self._attention(width, shape.middle, norm, scale))

        self.up = nn.ModuleList()
        for place, level in enumerate(shape.up):
            stage = SkipStage()
            for _ in range(level.blocks):
                skip = skips.pop()
                # Where there is attention, a precedence of operators made its groups other ones.
                attended = min(width + skip // 4, 32)
                norm_in = _quarter(width + skip) if level.heads is None else attended
                stage.blocks.append(self._block(width + skip, level.width, norm_in))
                width = level.width
            if level.heads is not None:
                stage.attention.append(self._attention(width, level.heads))
            if place < len(shape.up) - 1:
                stage.resample = self._resample(width, smooth_double)
                stage.image_norm = nn.GroupNorm(_quarter(width), width, shape.eps)
                stage.image = nn.Conv2d(width, shape.out, 3, padding=1)
            self.up.append(stage)

        self.norm = nn.GroupNorm(shape.groups or _quarter(width), width, shape.eps)
        self.head = nn.Conv2d(width, shape.out, 3, padding=1)

    def forward(self, x: Tensor, t: Tensor, label: Tensor | None = None) -> Tensor:
        embedding = self.embed(t, label)
        small = 2 * x - 1 if self.shape.centre else x
        h = self.stem(small)
        skips = [h]
        for stage in cast(Iterable[SkipStage], self.down):
            for index in range(len(stage.blocks)):
                h = stage.step(index, h, embedding)
                skips.append(h)
            if stage.resample is not None and stage.image is not None:
                small = smooth_halve(small)
                h = stage.image(small) + stage.resample(h, embedding)
                skips.append(h)

        h = self.middle.blocks[0](h, embedding)
        if self.middle.attention:
            h = self.middle.attention[0](h)
        h = self.middle.blocks[1](h, embedding)

        image: Tensor | None = None
        for stage in cast(Iterable[SkipStage], self.up):
            for block in stage.blocks:
                h = block(torch.cat([h, skips.pop()], dim=1), embedding)
            for attention in stage.attention:
                h = attention(h)
            image = None if image is None else smooth_double(image)
            if stage.resample is not None and stage.image is not None:
                assert stage.image_norm is not None
                made = stage.image(nn.functional.silu(stage.image_norm(h)))
                image = made if image is None else image + made
                h = stage.resample(h, embedding)
        h = self.head(nn.functional.silu(self.norm(h)))
        h = h if image is None else h + image
        return h / t.to(h.dtype).reshape(-1, 1, 1, 1) if self.shape.over_time else h

    def _block(
        self,
        width: int,
        out: int,
        norm_in: int,
        norm_out: int | None = None,
        scale: float = math.sqrt(2),
        **options: Any,
    ) -> ResidualBlock:
        return ResidualBlock(
            width,
            out,
            self.shape.time_out,
            groups=(norm_in, norm_out or _quarter(out)),
            eps=self.shape.eps,
            act=ACTIVATIONS[self.shape.act],
            scale=scale,
            **options,
        )

    def _resample(self, width: int, resample: Any) -> ResidualBlock:
        return self._block(width, width, _quarter(width), resample=resample, shortcut=True)

    def _attention(
        self, width: int, heads: int, groups: int = 32, scale: float = math.sqrt(2)
    ) -> Attention:
        return Attention(width, heads, groups=groups, eps=self.shape.eps, scale=scale)


def _quarter(width: int) -> int:
    return min(width // 4, 32)
