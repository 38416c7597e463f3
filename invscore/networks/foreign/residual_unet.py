"""The residual UNet with attention of Ho et al., in the variants that its descendants made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, cast

import torch
from torch import Tensor, nn

from invscore.networks.foreign.blocks import (
    ACTIVATIONS,
    Attention,
    DoubleByConvolution,
    HalveByConvolution,
    ResidualBlock,
    double,
    halve,
)
from invscore.networks.foreign.embedding import TimeEmbedding

Resampling = Literal["conv", "residual"]


@dataclass(frozen=True)
class Level:
    """One resolution, on one side: its width, residual blocks and attention, and its way out.

    ``heads``: heads of the attention after each block, or ``None`` for no attention.
    ``resampling``: how it changes to the next resolution, ``None`` at the end of the side.
    """

    width: int
    blocks: int
    heads: int | None = None
    resampling: Resampling | None = "conv"


@dataclass(frozen=True)
class Shape:
    """All that says what a ``ResidualUNet`` computes, apart from its weights.

    ``down`` and ``up`` are the levels in the order in which they are passed; ``middle`` the heads
    between them (``None``: no attention). ``middle_groups`` 0: no norm before the middle
    attention; ``None``: ``groups``. ``middle_scale`` divides the sums in the middle.
    ``embedding``: options of ``TimeEmbedding``. ``corner``: halving pads below and right alone.
    ``by_head``, ``project``: see ``Attention``.
    ``over_time``: the output is divided by t. ``centre``: the input is taken to 2 x - 1.
    """

    channels: int
    out: int
    down: Sequence[Level]
    up: Sequence[Level]
    middle: int | None
    time_width: int
    time_out: int
    has_middle: bool = True
    groups: int = 32
    middle_groups: int | None = None
    eps: float = 1e-5
    act: str = "silu"
    scale_shift: bool = False
    middle_scale: float = 1.0
    corner: bool = False
    by_head: bool = False
    project: bool = True
    over_time: bool = False
    centre: bool = False
    embedding: dict[str, Any] = field(default_factory=dict)


class Stage(nn.Module):
    """Residual blocks, each with its attention, and a change of size."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleList()
        self.attention = nn.ModuleList()
        self.resample: nn.Module | None = None

    def step(self, index: int, h: Tensor, embedding: Tensor) -> Tensor:
        h = self.blocks[index](h, embedding)
        return self.attention[index](h) if self.attention else h

    def leave(self, h: Tensor, embedding: Tensor) -> Tensor:
        assert self.resample is not None
        if isinstance(self.resample, ResidualBlock):
            return self.resample(h, embedding)
        return self.resample(h)


class ResidualUNet(nn.Module):
    """Residual blocks on the way down and up, the way up seeing all that the way down made.

    Its options are those of ``Shape``, ``down`` and ``up`` lists of options of ``Level``.

    ``forward(x, t, label)`` maps (b, channels, h, w), times (b,) and classes (b,) to (b, out, h,
    w), with h and w multiples of ``multiple`` (Ho et al. 2020, App. B; Nichol & Dhariwal 2021;
    Dhariwal & Nichol 2021, Sec. 3).
    """

    def __init__(
        self, *, down: Sequence[Mapping[str, Any]], up: Sequence[Mapping[str, Any]], **options: Any
    ) -> None:
        super().__init__()
        shape = Shape(
            down=[Level(**level) for level in down], up=[Level(**level) for level in up], **options
        )
        self.shape = shape
        self.multiple = 2 ** sum(level.resampling is not None for level in shape.down)
        self.embed = TimeEmbedding(shape.time_width, shape.time_out, **shape.embedding)
        width = shape.down[0].width
        self.stem = nn.Conv2d(shape.channels, width, 3, padding=1)

        skips = [width]
        self.down = nn.ModuleList()
        for level in shape.down:
            stage = Stage()
            for _ in range(level.blocks):
                self._extend(stage, width, level)
                width = level.width
                skips.append(width)
            if level.resampling is not None:
                stage.resample = self._resample(level, up=False)
                skips.append(width)
            self.down.append(stage)

        self.middle = Stage()
        if shape.has_middle:
            self.middle.blocks.append(self._block(width, width, scale=shape.middle_scale))
            if shape.middle is not None:
                groups = shape.groups if shape.middle_groups is None else shape.middle_groups
                self.middle.attention.append(
                    self._attention(width, shape.middle, groups or None, shape.middle_scale)
                )
            self.middle.blocks.append(self._block(width, width, scale=shape.middle_scale))

        self.up = nn.ModuleList()
        for level in shape.up:
            stage = Stage()
            for _ in range(level.blocks):
                self._extend(stage, width + skips.pop(), level)
                width = level.width
            if level.resampling is not None:
                stage.resample = self._resample(level, up=True)
            self.up.append(stage)

        self.norm = nn.GroupNorm(shape.groups, width, shape.eps)
        self.head = nn.Conv2d(width, shape.out, 3, padding=1)

    def forward(self, x: Tensor, t: Tensor, label: Tensor | None = None) -> Tensor:
        embedding = self.embed(t, label)
        h = self.stem(2 * x - 1 if self.shape.centre else x)
        skips = [h]
        for stage in cast(Iterable[Stage], self.down):
            for index in range(len(stage.blocks)):
                h = stage.step(index, h, embedding)
                skips.append(h)
            if stage.resample is not None:
                h = stage.leave(h, embedding)
                skips.append(h)

        if self.shape.has_middle:
            h = self.middle.blocks[0](h, embedding)
            if self.middle.attention:
                h = self.middle.attention[0](h)
            h = self.middle.blocks[1](h, embedding)

        for stage in cast(Iterable[Stage], self.up):
            for index in range(len(stage.blocks)):
                h = stage.step(index, torch.cat([h, skips.pop()], dim=1), embedding)
            if stage.resample is not None:
                h = stage.leave(h, embedding)
        h = self.head(nn.functional.silu(self.norm(h)))
        return h / t.to(h.dtype).reshape(-1, 1, 1, 1) if self.shape.over_time else h

    def _block(self, width: int, out: int, **options: Any) -> ResidualBlock:
        return ResidualBlock(
            width,
            out,
            self.shape.time_out,
            groups=(self.shape.groups, self.shape.groups),
            eps=self.shape.eps,
            act=ACTIVATIONS[self.shape.act],
            scale_shift=self.shape.scale_shift,
            **options,
        )

    def _attention(
        self, width: int, heads: int, groups: int | None, scale: float = 1.0
    ) -> Attention:
        shape = self.shape
        return Attention(
            width,
            heads,
            groups=groups,
            eps=shape.eps,
            scale=scale,
            by_head=shape.by_head,
            project=shape.project,
        )

    def _extend(self, stage: Stage, width: int, level: Level) -> None:
        stage.blocks.append(self._block(width, level.width))
        if level.heads is not None:
            stage.attention.append(self._attention(level.width, level.heads, self.shape.groups))

    def _resample(self, level: Level, *, up: bool) -> nn.Module:
        if level.resampling == "residual":
            return self._block(level.width, level.width, resample=double if up else halve)
        if up:
            return DoubleByConvolution(level.width)
        return HalveByConvolution(level.width, corner=self.shape.corner)
