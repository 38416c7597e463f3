"""A measurement that was blurred by a kernel that nobody knows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from torch import Tensor

from invscore.estimation.blur_kernel import MODELS, estimate_kernel
from invscore.operators import Blur
from invscore.tasks.builtin import check_options
from invscore.tasks.noises import Declared

NAME = "blind-deblur"


def found_blur(
    y: Tensor, options: Mapping[str, Any], noise: Declared | Literal["auto"]
) -> tuple[Blur, Declared, dict[str, Tensor], tuple[str, ...]]:
    """The blur of ``y``, (c, h, w), its noise, the kernel and its deviation, and sentences on both.

    Raises ``ValueError`` where the picture does not tell its kernel.
    """
    given = check_options(NAME, options)
    model, boundary = given.get("model", "any"), given.get("boundary", "valid")
    models = MODELS if model == "any" else (model,)
    level = noise if isinstance(noise, float) else None
    found = estimate_kernel(y, level, models)
    kernel, (channels, height, width) = found.kernel, y.shape
    if boundary == "valid":
        height, width = height + kernel.shape[0] - 1, width + kernel.shape[1] - 1
    told = [
        f"kernel: {found}, found in the measurement",
        "intervals: of images given this kernel, whose own deviation they leave out",
    ]
    if noise == "auto":
        noise = max(found.noise, 1e-6 * float(y.abs().max()))
        told.append(f"noise {noise:.3g}, found with the kernel")
    operator = Blur(kernel, (channels, height, width), boundary=boundary)
    return operator, noise, {"kernel": kernel, "kernel_std": found.std}, tuple(told)
