"""A measurement that was blurred by a kernel that nobody knows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Literal

from torch import Tensor

from invscore.estimation.blur_kernel import MODELS, KernelEstimate, estimate_kernel
from invscore.operators import Blur
from invscore.tasks.builtin import check_options
from invscore.tasks.noises import Declared

NAME = "blind-deblur"


def found_blur(
    y: Tensor, options: Mapping[str, Any], noise: Declared | Literal["auto"]
) -> tuple[Callable[[Tensor], Blur], Declared, KernelEstimate, tuple[str, ...]]:
    """The blur of ``y``, (c, h, w), by a kernel, its noise, the kernel found, sentences on both.

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
        "intervals: each pair of samples has a kernel of its own, drawn as likely as it is",
    ]
    if noise == "auto":
        noise = max(found.noise, 1e-6 * float(y.abs().max()))
        told.append(f"noise {noise:.3g}, found with the kernel")
    shape = (channels, height, width)
    return partial(Blur, in_shape=shape, boundary=boundary), noise, found, tuple(told)
