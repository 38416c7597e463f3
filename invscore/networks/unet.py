"""A norm-free residual UNet that denoises images of any size."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import silu

from invscore.networks import fused
from invscore.networks.attention import SelfAttention
from invscore.networks.mirrored import mirrored
from invscore.networks.noise_maps import LocalFilm, MapFeatures

SIZES: dict[str, dict[str, Any]] = {
    "tiny": {"widths": (16, 32, 64), "blocks": 2},  # 0.3 million weights
    "small": {"widths": (16, 32, 64, 128), "blocks": 2},  # 1.2 million
    "base": {"widths": (32, 64, 128, 256), "blocks": 2},  # 4.6 million
    "large": {"widths": (64, 128, 256, 512), "blocks": 2},  # 18 million
}
"""Widths and blocks of a ``UNet`` by the name of its size."""

TENSORS = 6
"""Most tensors of the finest resolution that an evaluation holds at a time, smaller ones
included."""

LOCAL_TENSORS = 4
"""Further such tensors where scales and shifts differ between pixels."""


class ResidualBlock(nn.Module):
    """``h + conv(silu(film(conv(h))))``, the noise level entering as a scale and a shift.

    With ``noise_maps`` a map of the noise enters likewise, at every pixel.
    """

    def __init__(self, width: int, embedding: int, *, noise_maps: bool = False) -> None:
        super().__init__()
        self.conv_in = nn.Conv2d(width, width, 3, padding=1)
        self.film = nn.Linear(embedding, 2 * width)
        self.conv_out = nn.Conv2d(width, width, 3, padding=1)

        # Without normalisation, a stack of blocks starts as (nearly) the identity.
        nn.init.kaiming_normal_(self.conv_in.weight, nonlinearity="relu")
        nn.init.normal_(self.conv_out.weight, std=0.1 / math.sqrt(9 * width))
        nn.init.zeros_(self.film.weight)
        for layer in (self.conv_in, self.film, self.conv_out):
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
        self.local = LocalFilm(width) if noise_maps else None

    def forward(self, h: Tensor, embedding: Tensor, local: Tensor | None = None) -> Tensor:
        film = self.film(embedding)[:, :, None, None]
        if self.local is not None and local is not None:
            film = film + self.local(local)
        scale, shift = film.chunk(2, dim=1)
        return h + self.conv_out(silu(torch.addcmul(shift, self.conv_in(h), 1 + scale)))

    def replace(self, h: Tensor, embedding: Tensor) -> Tensor:
        """``forward`` in the memory of ``h``, for images of one embedding, see ``fused``.

        The scale of channels is one of weights, and the shift one of the bias.
        """
        scale, shift = self.film(embedding[0]).float().chunk(2)
        weight = self.conv_in.weight * (1 + scale)[:, None, None, None]
        bias = torch.addcmul(shift, self.conv_in.bias, 1 + scale)  # type: ignore[arg-type]
        between = fused.silu_of_convolution(h, weight, bias)
        return fused.add_convolution(h, between, self.conv_out)


class FourierEmbedding(nn.Module):
    """Sines and cosines of the noise coordinate, mixed by one hidden layer."""

    frequencies: Tensor

    def __init__(self, size: int) -> None:
        super().__init__()
        self.register_buffer("frequencies", torch.logspace(-1, 1, size // 2), persistent=False)
        self.mix = nn.Sequential(nn.Linear(size, size), nn.SiLU())

    def forward(self, noise: Tensor) -> Tensor:
        phase = noise[:, None] * self.frequencies
        return self.mix(torch.cat([phase.cos(), phase.sin()], dim=1))

    @torch.no_grad()
    def shift(self, by: float) -> None:
        """Become what it was at ``noise + by``: sines of sums are sums of sines."""
        linear: nn.Linear = self.mix[0]  # type: ignore[assignment]
        cos, sin = (by * self.frequencies).cos(), (by * self.frequencies).sin()
        of_cos, of_sin = linear.weight.chunk(2, dim=1)
        turned = torch.cat([of_cos * cos + of_sin * sin, of_sin * cos - of_cos * sin], dim=1)
        linear.weight.copy_(turned)


class UNet(nn.Module):
    """Residual UNet without normalisation, in the manner of DRUNet (Zhang et al. 2021, Sec. IV).

    ``forward(x, noise)`` maps ``x`` of shape (b, channels, h, w) and the noise coordinate
    ``noise`` of shape (b,) to a tensor of the shape of ``x``. Any h and w are accepted: the image
    is extended by reflection to a multiple of the coarsest stride and cropped afterwards. A
    network with ``noise_maps`` also takes ``relative``, of the shape of ``x``: the noise coordinate
    of each pixel less ``noise``, where these differ.

    ``widths`` gives the channels of each resolution (one halving between neighbours), ``blocks``
    the residual blocks of each on each side, one number for all or one for each; ``SIZES`` has some
    that go well together.
    The ``attention`` coarsest resolutions have self-attention after their residual blocks. A pixel
    depends on those at most ``reach`` away; with attention, on all. Raises
    ``ValueError`` where there are fewer or none at all, and for an ``embedding`` that is odd.

    >>> import torch
    >>> from invscore.networks import UNet
    >>> network = UNet(channels=1, widths=(8, 16), blocks=1)
    >>> network(torch.rand(2, 1, 8, 8), torch.zeros(2)).shape
    torch.Size([2, 1, 8, 8])
    """

    def __init__(
        self,
        channels: int = 1,
        widths: Sequence[int] = (32, 64, 128, 256),
        blocks: int | Sequence[int] = 2,
        embedding: int = 128,
        attention: int = 0,
        noise_maps: bool = False,
    ) -> None:
        if not widths:
            raise ValueError(f"`widths` must hold at least one number, got {list(widths)}")
        each = [blocks] * len(widths) if isinstance(blocks, int) else list(blocks)
        if len(each) != len(widths):
            raise ValueError(
                "`blocks` must be one number or one for each of `widths`, of which there are "
                f"{len(widths)}, got {each}"
            )
        for name, numbers in {"channels": [channels], "widths": widths, "blocks": each}.items():
            if min(numbers) < 1:
                raise ValueError(f"`{name}` must be whole and at least 1, got {min(numbers)}")
        if embedding < 2 or embedding % 2:
            raise ValueError(f"`embedding` must be an even number of at least 2, got {embedding}")
        if not 0 <= attention <= len(widths):
            raise ValueError(
                "`attention` must lie between 0 and the number of resolutions, "
                f"{len(widths)}, got {attention}"
            )
        super().__init__()
        self.stride = 2 ** (len(widths) - 1)
        self.embed = FourierEmbedding(embedding)
        self.maps = MapFeatures(channels) if noise_maps else None
        self.stem = nn.Conv2d(channels, widths[0], 3, padding=1)
        self.head = nn.Conv2d(widths[0], channels, 3, padding=1)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)  # type: ignore[arg-type]

        coarsest = len(widths) - 1

        def stage(level: int) -> nn.ModuleList:
            width = widths[level]
            made = nn.ModuleList(
                ResidualBlock(width, embedding, noise_maps=noise_maps) for _ in range(each[level])
            )
            return made.append(SelfAttention(width)) if level > coarsest - attention else made

        pairs = list(pairwise(widths))
        self.encoder = nn.ModuleList(stage(level) for level in range(coarsest))
        self.bottom = stage(coarsest)
        self.decoder = nn.ModuleList(stage(level) for level in range(coarsest))
        self.down = nn.ModuleList(nn.Conv2d(fine, coarse, 2, stride=2) for fine, coarse in pairs)
        self.up = nn.ModuleList(
            nn.ConvTranspose2d(coarse, fine, 2, stride=2) for fine, coarse in pairs
        )
        # On 256 x 256 pixels and one core a sixth faster; convolutions hand the layout on.
        self.to(memory_format=torch.channels_last)

        # Two convolutions a block, on each side but at the bottom; a halving sees up to its stride.
        passes = [4 * each[level] * 2**level for level in range(coarsest)]
        passes.append(2 * each[coarsest] * self.stride)
        self.reach = None if attention else 2 + sum(passes) + self.stride - 1
        tensors = TENSORS + (LOCAL_TENSORS if noise_maps else 0)
        self.bytes_per_pixel = float(tensors * 4 * widths[0])

    @property
    def noise_maps(self) -> bool:
        """Whether it can be told of noise that differs between pixels."""
        return self.maps is not None

    def forward(self, x: Tensor, noise: Tensor, relative: Tensor | None = None) -> Tensor:
        height, width = x.shape[-2:]
        size = (height + -height % self.stride, width + -width % self.stride)
        embedding = self.embed(noise)
        maps: Sequence[Tensor | None] = [None] * (len(self.encoder) + 1)
        if relative is not None and self.maps is not None:
            maps = self.maps(mirrored(relative, size), len(maps))

        quick = relative is None and fused.serves(self, x, noise)
        h = self.stem(mirrored(x, size))
        skips = []
        for stage, down, local in zip(self.encoder, self.down, maps[:-1], strict=True):
            h = _run(stage, h, embedding, local, quick)
            skips.append(h)
            h = down(h)
        h = _run(self.bottom, h, embedding, maps[-1], quick)
        for stage, up, local in zip(
            reversed(self.decoder), reversed(self.up), maps[-2::-1], strict=True
        ):
            risen, skipped = up(h), skips.pop()
            h = risen.add_(skipped) if quick else risen + skipped
            h = _run(stage, h, embedding, local, quick)
        return self.head(h)[..., :height, :width]


def _run(
    stage: nn.Module, h: Tensor, embedding: Tensor, local: Tensor | None, quick: bool
) -> Tensor:
    """``h`` after a stage; where it is ``quick``, in the same memory."""
    for block in stage:  # type: ignore[attr-defined]
        if not isinstance(block, ResidualBlock):
            h = block(h, embedding)
        elif quick:
            h = block.replace(h, embedding)
        else:
            h = block(h, embedding, local)
    return h
