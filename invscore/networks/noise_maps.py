"""Input of a network for noise that differs between pixels."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, silu

FEATURES = 16


class MapFeatures(nn.Module):
    """``silu(W r + b) - silu(b)`` of a map r, (b, channels, h, w), at every resolution.

    r is the noise coordinate of each pixel less that of the image: where noise is white it is 0,
    and so are the features. Coarser ones are means of the finer.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.mix = nn.Conv2d(channels, FEATURES, 1)

        # The coordinate is ln(sigma) / 4: noise a hundred times less is at -1.15.
        nn.init.normal_(self.mix.weight, std=2 / channels**0.5)
        nn.init.uniform_(self.mix.bias, -2, 2)  # type: ignore[arg-type]

    def forward(self, relative: Tensor, resolutions: int) -> list[Tensor]:
        bias = self.mix.bias
        assert bias is not None
        pyramid = [silu(self.mix(relative)) - silu(bias)[:, None, None]]
        while len(pyramid) < resolutions:
            pyramid.append(avg_pool2d(pyramid[-1], 2))
        return pyramid


class LocalFilm(nn.Conv2d):
    """Scales and shifts of ``width`` features at each pixel, by the features of the noise map.

    Begins as 0: a network that is given it denoises as it did.
    """

    def __init__(self, width: int) -> None:
        super().__init__(FEATURES, 2 * width, 1, bias=False)
        nn.init.zeros_(self.weight)


def relative_coordinates(coordinates: Tensor) -> tuple[Tensor, Tensor]:
    """The noise coordinate of each image, (b,), the mean of its pixels', and the pixels' less it.

    ``coordinates``: (b, channels, h, w), ln(sigma) / 4 of each pixel, so that the mean is that of
    the geometric mean of the standard deviations.
    """
    usual = coordinates.flatten(1).mean(dim=1)
    return usual, coordinates - usual[:, None, None, None]
