"""NCSNv2, a RefineNet that gives the score at every level (Song & Ermon 2020)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, elu, instance_norm, interpolate, max_pool2d

STAGES = {
    4: (("1", "2", "3", "4"), (1, 2, 2, 2), (0, 0, 2, 4)),
    5: (("1", "2", "3", "4", "5"), (1, 2, 2, 4, 4), (0, 0, 0, 2, 4)),
    6: (("1", "2", "3", "31", "4", "5"), (1, 2, 2, 2, 4, 4), (0, 0, 0, 0, 2, 4)),
}
"""Names, widths and dilations of the stages, by their number; a dilation of 0 stands for
halving."""


class InstanceNormPlus(nn.Module):
    """Instance normalisation that keeps how the means of the channels differ (Sec. 3.1 of Song &
    Ermon 2019)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.alpha = nn.Parameter(torch.ones(channels))
        self.gamma = nn.Parameter(torch.ones(channels))
        self.beta = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        means = x.mean(dim=(2, 3))
        spread = (means.var(dim=1, keepdim=True) + 1e-5).sqrt()
        means = (means - means.mean(dim=1, keepdim=True)) / spread
        h = instance_norm(x) + (self.alpha * means)[:, :, None, None]
        return self.gamma[:, None, None] * h + self.beta[:, None, None]


class HalvingConv(nn.Module):
    """A convolution, then the mean of 2 x 2 pixels."""

    def __init__(self, inputs: int, outputs: int, kernel: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2)

    def forward(self, x: Tensor) -> Tensor:
        return avg_pool2d(self.conv(x), 2)


class ResidualBlock(nn.Module):
    """Two normalised convolutions beside a skip connection; the ``first`` of a stage halves the
    image, or has a convolution in the skip connection where the stage is dilated."""

    def __init__(self, inputs: int, outputs: int, dilation: int, *, first: bool) -> None:
        super().__init__()
        reach = max(1, dilation)

        def conv(a: int, b: int) -> nn.Module:
            return nn.Conv2d(a, b, 3, padding=reach, dilation=reach)

        halves = first and not dilation
        self.normalize1 = InstanceNormPlus(inputs)
        self.conv1 = conv(inputs, inputs if first else outputs)
        self.normalize2 = InstanceNormPlus(inputs if first else outputs)
        self.conv2 = HalvingConv(inputs, outputs, 3) if halves else conv(inputs, outputs)
        self.shortcut: nn.Module | None = None
        if first:
            self.shortcut = HalvingConv(inputs, outputs, 1) if halves else conv(inputs, outputs)

    def forward(self, x: Tensor) -> Tensor:
        h = self.conv1(elu(self.normalize1(x)))
        h = self.conv2(elu(self.normalize2(h)))
        return h + (x if self.shortcut is None else self.shortcut(x))


class Residuals(nn.Module):
    """``blocks`` times two convolutions, each after an ELU, added to what comes in."""

    def __init__(self, width: int, blocks: int) -> None:
        super().__init__()
        self.blocks = blocks
        for block in range(1, blocks + 1):
            for step in (1, 2):
                conv = nn.Conv2d(width, width, 3, padding=1, bias=False)
                self.add_module(f"{block}_{step}_conv", conv)

    def forward(self, x: Tensor) -> Tensor:
        for block in range(1, self.blocks + 1):
            h = x
            for step in (1, 2):
                h = self.get_submodule(f"{block}_{step}_conv")(elu(h))
            x = x + h
        return x


class ChainedPooling(nn.Module):
    """Maxima over 5 x 5 pixels and convolutions in a chain, every link added."""

    def __init__(self, width: int) -> None:
        super().__init__()
        convs = (nn.Conv2d(width, width, 3, padding=1, bias=False) for _ in range(2))
        self.convs = nn.ModuleList(convs)

    def forward(self, x: Tensor) -> Tensor:
        x = path = elu(x)
        for conv in self.convs:
            path = conv(max_pool2d(path, 5, stride=1, padding=2))
            x = x + path
        return x


class RefineBlock(nn.Module):
    """Maps of one or more resolutions fused at the size of the first (Lin et al. 2017)."""

    def __init__(self, inputs: Sequence[int], width: int, *, last: bool) -> None:
        super().__init__()
        self.adapt_convs = nn.ModuleList(Residuals(each, 2) for each in inputs)
        if len(inputs) > 1:
            convs = nn.ModuleList(nn.Conv2d(each, width, 3, padding=1) for each in inputs)
            self.msf = nn.ModuleDict({"convs": convs})
        self.crp = ChainedPooling(width)
        self.output_convs = Residuals(width, 3 if last else 1)

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        adapted = [adapt(h) for adapt, h in zip(self.adapt_convs, maps, strict=True)]
        h = adapted[0]
        if len(adapted) > 1:
            size = maps[0].shape[-2:]
            convs: nn.ModuleList = self.msf["convs"]  # type: ignore[assignment]
            fused = [
                interpolate(conv(each), size, mode="bilinear", align_corners=True)
                for conv, each in zip(convs, adapted, strict=True)
            ]
            h = fused[0] + fused[1]
        return self.output_convs(self.crp(h))


class NCSNv2(nn.Module):
    """``forward(x, sigma)``: images (b, channels, h, w) and levels (b,) to the score.

    The level scales what comes out and is told to no layer. ``stages`` is 4, 5 or 6. h and w are
    multiples of 2, 4 or 8 then.
    """

    def __init__(self, channels: int, width: int, stages: int) -> None:
        super().__init__()
        names, mults, dilations = STAGES[stages]
        widths = [width * mult for mult in mults]
        self.names = names
        self.begin_conv = nn.Conv2d(channels, width, 3, padding=1)
        self.normalizer = InstanceNormPlus(width)
        self.end_conv = nn.Conv2d(width, channels, 3, padding=1)
        self.add_module(f"res{names[0]}", _stage(width, width, 0, starts=True))
        for name, dilation, (fine, coarse) in zip(
            names[1:], dilations[1:], pairwise(widths), strict=True
        ):
            self.add_module(f"res{name}", _stage(fine, coarse, dilation))
        self.refined = self._refinements()
        now = widths[-1]
        for level, name in zip(reversed(range(stages)), self.refined, strict=True):
            first = level == stages - 1
            given = [widths[level]] if first else [widths[level], now]
            now = widths[max(0, level - 1)]
            self.add_module(f"refine{name}", RefineBlock(given, now, last=level == 0))

    def _refinements(self) -> tuple[str, ...]:
        """Names of the refinements, from the coarsest stage on."""
        return ("1", "2", "31", "3", "4", "5") if "31" in self.names else self.names

    def forward(self, x: Tensor, sigma: Tensor) -> Tensor:
        h = self.begin_conv(2 * x - 1)
        maps = []
        for name in self.names:
            for block in self.get_submodule(f"res{name}").children():
                h = block(h)
            maps.append(h)
        given = [maps.pop()]
        for name in self.refined:
            h = self.get_submodule(f"refine{name}")(given)
            given = [maps.pop(), h] if maps else []
        h = self.end_conv(elu(self.normalizer(h)))
        return h / sigma[:, None, None, None]


def _stage(inputs: int, outputs: int, dilation: int, *, starts: bool = False) -> nn.ModuleList:
    first = ResidualBlock(inputs, outputs, dilation, first=not starts)
    return nn.ModuleList([first, ResidualBlock(outputs, outputs, dilation, first=False)])
