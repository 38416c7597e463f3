"""DRUNet, a residual UNet that is told the noise level as a channel (Zhang et al. 2021)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.func import vjp

ACTIVATIONS: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "elu": nn.ELU}


class ResidualBlock(nn.Module):
    """``x + conv(act(conv(x)))``."""

    def __init__(self, width: int, activation: str, *, bias: bool) -> None:
        super().__init__()
        self.res = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1, bias=bias),
            ACTIVATIONS[activation](),
            nn.Conv2d(width, width, 3, padding=1, bias=bias),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.res(x)


class DRUNet(nn.Module):
    """``D(z, s)``: images (b, channels, h, w), h and w multiples of 8, and levels (b,).

    A ``blind`` one is not told the level. ``widths`` has the channels of the four resolutions,
    ``blocks`` the residual blocks of each on each side.
    """

    def __init__(
        self,
        channels: int,
        widths: Sequence[int],
        blocks: int,
        *,
        blind: bool = False,
        bias: bool = False,
        activation: str = "relu",
    ) -> None:
        super().__init__()
        self.blind = blind
        first, second, third, last = widths

        def stage(width: int) -> list[nn.Module]:
            return [ResidualBlock(width, activation, bias=bias) for _ in range(blocks)]

        def down(fine: int, coarse: int) -> nn.Sequential:
            return nn.Sequential(*stage(fine), nn.Conv2d(fine, coarse, 2, stride=2, bias=bias))

        def up(coarse: int, fine: int) -> nn.Sequential:
            larger = nn.ConvTranspose2d(coarse, fine, 2, stride=2, bias=bias)
            return nn.Sequential(larger, *stage(fine))

        self.m_head = nn.Conv2d(channels + (not blind), first, 3, padding=1, bias=bias)
        self.m_down1 = down(first, second)
        self.m_down2 = down(second, third)
        self.m_down3 = down(third, last)
        self.m_body = nn.Sequential(*stage(last))
        self.m_up3 = up(last, third)
        self.m_up2 = up(third, second)
        self.m_up1 = up(second, first)
        self.m_tail = nn.Conv2d(first, channels, 3, padding=1, bias=bias)

    def forward(self, z: Tensor, s: Tensor) -> Tensor:
        if not self.blind:
            z = torch.cat([z, s[:, None, None, None].expand_as(z[:, :1])], dim=1)
        first = self.m_head(z)
        second = self.m_down1(first)
        third = self.m_down2(second)
        last = self.m_down3(third)
        h = self.m_up3(self.m_body(last) + last)
        return self.m_tail(self.m_up1(self.m_up2(h + third) + second) + first)


class GradientStepDRUNet(nn.Module):
    """``D = z - grad g`` of ``g = |z - N(z, s)|^2 / 2``, N a DRUNet (Hurault et al. 2022).

    Options are those of ``DRUNet``. Takes a pass through N and one back.
    """

    def __init__(self, channels: int, widths: Sequence[int], blocks: int, **options: bool) -> None:
        super().__init__()
        network = DRUNet(channels, widths, blocks, activation="elu", **options)
        self.student_grad = nn.ModuleDict({"model": network})

    def forward(self, z: Tensor, s: Tensor) -> Tensor:
        given, pull = vjp(lambda leaf: self.student_grad["model"](leaf, s), z)[:2]
        return given + pull(z - given)[0]
