"""Nonlinear model of a camera: blur, saturation and response curve."""

from __future__ import annotations

import torch
from torch import Tensor

from invscore.operators.base import NonlinearOperator, Shape
from invscore.operators.blur import Blur


class CameraBlur(NonlinearOperator):
    """Blur in linear light behind a camera's response: ``y = g(min(e K g^-1(x), 1))``.

    Pixel values x of a photograph are a curve g of the light that fell on them (here that of sRGB,
    IEC 61966-2-1), while motion and defocus K add up light itself: bright points leave longer
    traces than a blur of pixel values would give them. ``exposure``, e, multiplies the light, of
    which the sensor holds no more than 1: where it saturates, y is 1 and tells only that x was
    bright.

    ``kernel`` and ``boundary`` as in ``Blur``. The papers' "nonlinear deblurring" is something
    else, a network trained on the GOPRO videos (Tran et al. 2021), whose weights would have to be
    downloaded. Raises ``ValueError`` for an ``exposure`` that is not positive.

    >>> import torch
    >>> from invscore.operators import CameraBlur
    >>> camera = CameraBlur(torch.full((3, 3), 1 / 9), in_shape=(1, 8, 8), exposure=1.5)
    >>> round(float(camera(torch.full((1, 1, 8, 8), 0.9)).max()), 3)
    1.0
    """

    def __init__(
        self, kernel: Tensor, in_shape: Shape, exposure: float = 1.0, boundary: str = "circular"
    ) -> None:
        if not 0 < exposure < float("inf"):
            raise ValueError(f"`exposure` must be a positive number, got {exposure}")
        self.blur = Blur(kernel, in_shape, boundary=boundary)
        self.exposure = exposure
        self.in_shape, self.out_shape = self.blur.in_shape, self.blur.out_shape
        self.window = self.blur.window

    def __call__(self, x: Tensor) -> Tensor:
        light = self.exposure * self.blur.matvec(linear_light(x))
        return pixel_values(light.clamp_max(1))


class HighDynamicRange(NonlinearOperator):
    """Contrast beyond what the medium holds: ``y = clip(1/2 + factor (x - 1/2), 0, 1)``.

    The papers' ``clip(2 x, -1, 1)`` on [-1, 1], written for images in [0, 1]: factor 2 loses the
    darkest and the brightest quarter of the range. ``in_shape`` is any shape. Raises ``ValueError``
    for a ``factor`` that is not positive.

    >>> import torch
    >>> from invscore.operators import HighDynamicRange
    >>> medium = HighDynamicRange((1, 1, 3), factor=2.0)
    >>> medium(torch.tensor([[[[0.1, 0.5, 0.6]]]]))
    tensor([[[[0.0000, 0.5000, 0.7000]]]])
    """

    def __init__(self, in_shape: Shape, factor: float = 2.0) -> None:
        if not 0 < factor < float("inf"):
            raise ValueError(f"`factor` must be a positive number, got {factor}")
        self.in_shape = self.out_shape = tuple(in_shape)
        self.factor = factor

    def __call__(self, x: Tensor) -> Tensor:
        return (0.5 + self.factor * (x - 0.5)).clamp(0, 1)


def linear_light(values: Tensor) -> Tensor:
    """The light that gives sRGB ``values``; 1 gives 1. Odd values continue the curve."""
    curved = ((values.clamp_min(0.04045) + 0.055) / 1.055) ** 2.4
    return torch.where(values > 0.04045, curved, values / 12.92)


def pixel_values(light: Tensor) -> Tensor:
    """The sRGB values of ``light``: the inverse of ``linear_light``."""
    curved = 1.055 * light.clamp_min(0.0031308) ** (1 / 2.4) - 0.055
    return torch.where(light > 0.0031308, curved, 12.92 * light)
