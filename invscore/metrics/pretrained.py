"""Networks that know photographs, which perceptual metrics look through: where their weights are.

They are torchvision's, trained on ImageNet, and come by a download of its own. A metric never
starts one: it uses weights that are in the cache already and says what is missing otherwise.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor


def unavailable(metric: str, packages: tuple[str, ...], network: str) -> str | None:
    """Why ``metric`` cannot be measured, in a sentence, or None where it can.

    ``packages``: what must be installed. ``network``: torchvision's name of its default weights,
    such as ``AlexNet_Weights``.
    """
    for package in packages:
        if find_spec(package) is None:
            return f"{metric} is not measured: the package {package} is not installed"
    from torchvision import models

    url = getattr(models, network).DEFAULT.url
    file = Path(torch.hub.get_dir()) / "checkpoints" / url.rsplit("/", 1)[-1]
    if file.is_file():
        return None
    return (
        f"{metric} is not measured: torchvision's weights {file.name} are not in torch's hub cache"
    )


def as_photographs(images: Tensor, peak: float) -> Tensor:
    """Images (n, 1 or 3, h, w) as a screen shows them: float32 (n, 3, h, w) in [0, 1].

    Complex ones by magnitude, clipped to [0, ``peak``], gray ones in three equal channels. Raises
    ``ValueError`` for another shape or a ``peak`` that is not positive.
    """
    if images.ndim != 4 or images.shape[1] not in (1, 3):
        raise ValueError(f"the images must have shape (n, 1 or 3, h, w), got {tuple(images.shape)}")
    if not peak > 0:
        raise ValueError(f"`peak` must be a positive number, got {peak}")
    real = images.abs() if images.is_complex() else images
    return (real.detach().cpu().float() / peak).clamp(0, 1).expand(-1, 3, -1, -1)
