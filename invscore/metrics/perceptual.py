"""LPIPS: how different two images look to a network that knows photographs."""

from __future__ import annotations

import warnings
from functools import lru_cache
from typing import Any, Literal

import torch
from torch import Tensor

from invscore.metrics.pretrained import as_photographs, unavailable

Network = Literal["alex", "vgg", "squeeze"]
WEIGHTS = {
    "alex": "AlexNet_Weights",
    "vgg": "VGG16_Weights",
    "squeeze": "SqueezeNet1_1_Weights",
}
SMALLEST = 32
"""Least side of an image in pixels: of smaller ones the last layer of the network is empty."""


def lpips_unavailable(network: Network = "alex") -> str | None:
    """Why there is no LPIPS, in a sentence, or None where there is: see ``lpips``.

    >>> from invscore.metrics import lpips_unavailable
    >>> why = lpips_unavailable()
    >>> why is None or len(why) > 0
    True
    """
    return unavailable("LPIPS", ("torchvision", "lpips"), WEIGHTS[network])


@torch.no_grad()
def lpips(
    x: Tensor, reference: Tensor, peak: float = 1.0, network: Network = "alex"
) -> Tensor | None:
    """Learned perceptual image patch similarity (Zhang et al. 2018), version 0.1: (b,).

    0 for equal images, larger for what looks different. ``x`` and ``reference`` are
    (b, 1 or 3, h, w), at least 32 pixels a side; they are clipped to [0, ``peak``], complex ones
    taken by magnitude, gray ones repeated in three channels, and given to the network on [-1, 1].
    ``network`` is AlexNet, as in most papers, VGG-16 or SqueezeNet 1.1.

    None where the package ``lpips`` or torchvision's weights are not there
    (``lpips_unavailable`` says which): nothing is downloaded. Raises ``ValueError`` for unequal or
    smaller shapes.

    >>> import torch
    >>> from invscore.metrics import lpips, lpips_unavailable
    >>> x = torch.rand(1, 3, 64, 64)
    >>> lpips_unavailable() is not None or float(lpips(x, x)) == 0
    True
    """
    if x.shape != reference.shape:
        raise ValueError(
            f"`x` and `reference` must have the same shape, got {tuple(x.shape)} and "
            f"{tuple(reference.shape)}"
        )
    a, b = (2 * as_photographs(images, peak) - 1 for images in (x, reference))
    if min(a.shape[-2:]) < SMALLEST:
        raise ValueError(
            f"the images must have at least {SMALLEST} pixels a side for LPIPS, got the shape "
            f"{tuple(x.shape)}"
        )
    if lpips_unavailable(network):
        return None
    model = _model(network)
    pairs = zip(a[:, None], b[:, None], strict=True)
    return torch.stack([model(*pair).squeeze() for pair in pairs])


@lru_cache(maxsize=1)
def _model(network: Network) -> Any:
    import lpips  # with torchvision takes seconds to import

    with warnings.catch_warnings():
        # The package names torchvision's weights in a way that was given up.
        warnings.filterwarnings("ignore", category=UserWarning, module="torchvision")
        return lpips.LPIPS(net=network, version="0.1", verbose=False)
