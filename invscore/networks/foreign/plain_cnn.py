"""Stacks of 3 x 3 convolutions that denoise: DnCNN and FDnCNN, FFDNet (Zhang et al. 2017, 2018)."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import pixel_shuffle, pixel_unshuffle, relu


class PlainCNN(nn.Module):
    """``depth`` convolutions with ReLU between: (b, inputs, h, w) to (b, outputs, h, w).

    Batch normalisation is left to whoever loads the weights: it is affine and goes into them.
    """

    def __init__(self, inputs: int, outputs: int, width: int, depth: int) -> None:
        super().__init__()
        widths = [inputs, *[width] * (depth - 1), outputs]
        self.layers = nn.ModuleList(nn.Conv2d(a, b, 3, padding=1) for a, b in pairwise(widths))

    def forward(self, h: Tensor) -> Tensor:
        for layer in self.layers[:-1]:
            h = relu(layer(h))
        return self.layers[-1](h)


class DnCNN(PlainCNN):
    """``D(z, s) = z + residual * F``: images (b, channels, h, w), and levels that are not heeded.

    ``residual``: 1 where F predicts what is to be added, -1 where it predicts the noise.
    """

    def __init__(self, channels: int, width: int, depth: int, residual: int) -> None:
        super().__init__(channels, channels, width, depth)
        self.residual = residual

    def forward(self, z: Tensor, s: Tensor) -> Tensor:  # type: ignore[override]  # noqa: ARG002
        return z + self.residual * super().forward(z)


class FDnCNN(PlainCNN):
    """``D(z, s)``: images (b, channels, h, w), and levels (b,) that are told as a channel."""

    def __init__(self, channels: int, width: int, depth: int) -> None:
        super().__init__(channels + 1, channels, width, depth)

    def forward(self, z: Tensor, s: Tensor) -> Tensor:  # type: ignore[override]
        told = s[:, None, None, None].expand_as(z[:, :1])
        return super().forward(torch.cat([z, told], dim=1))


class FFDNet(PlainCNN):
    """``D(z, s)``: images (b, channels, h, w), h and w even, and levels (b,).

    It works at half the size: each channel is four. The level is told as ``maps`` channels, before
    the image (``maps_first``) or after it. ``residual``: 0 where the image is predicted, 1 where
    what is to be added to it, -1 where the noise.
    """

    def __init__(
        self,
        channels: int,
        width: int,
        depth: int,
        maps: int,
        *,
        maps_first: bool = False,
        residual: int = 0,
    ) -> None:
        super().__init__(4 * channels + maps, 4 * channels, width, depth)
        self.maps, self.maps_first, self.residual = maps, maps_first, residual

    def forward(self, z: Tensor, s: Tensor) -> Tensor:  # type: ignore[override]
        h = pixel_unshuffle(z, 2)
        told = s[:, None, None, None].expand(-1, self.maps, *h.shape[-2:])
        h = super().forward(torch.cat([told, h] if self.maps_first else [h, told], dim=1))
        given = pixel_shuffle(h, 2)
        return given if self.residual == 0 else z + self.residual * given
