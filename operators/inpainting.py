"""Missing pixels."""

from __future__ import annotations

from pathlib import Path
from typing import Self

import torch
from torch import Tensor
from torch.nn.functional import max_pool2d

from invscore.batches import Numbers, as_tensor
from invscore.operators.base import Shape, SpectralOperator
from invscore.operators.constant import Constant
from invscore.operators.files import read_mask
from invscore.operators.memory_check import require_room_for_images
from invscore.operators.svd import SVD, unchanged


class Inpainting(SpectralOperator):
    """``y = mask * x``: pixels outside the mask are not measured, and zero in y.

    ``mask`` is boolean, true where measured, (h, w) for all channels alike or (c, h, w); or it has
    weights from 0 to 1, the share of the light that reaches each pixel (a vignette, dust on a
    sensor), of which 0 is not measured. How precise each pixel is, is the affair of the noise.
    ``in_shape`` is (c, h, w), by default with the channels of the mask, or one; or that of volumes,
    (c, d, h, w), for which the mask may be (d, h, w) too.

    Raises ``ValueError`` when the mask is of another type, has weights outside [0, 1], measures
    nothing or does not fit ``in_shape``.

        >>> from invscore.operators import Inpainting
        >>> operator = Inpainting.random((1, 10, 10), keep=0.3, seed=0)
        >>> operator.measured.sum().item()
        30
    """

    measured: Tensor

    def __init__(self, mask: Numbers, in_shape: Shape | None = None) -> None:
        mask = as_tensor("mask", mask)
        if not (mask.dtype == torch.bool or mask.is_floating_point()):
            raise ValueError(f"the `mask` must be boolean, or weights in [0, 1], got {mask.dtype}")
        if not bool(((mask >= 0) & (mask <= 1)).all()):
            raise ValueError(
                "the `mask` must have weights in [0, 1], got "
                f"{float(mask.min()):g} to {float(mask.max()):g}"
            )
        if in_shape is None:
            in_shape = (1, *mask.shape) if mask.ndim == 2 else tuple(mask.shape)
        fits = {tuple(in_shape), tuple(in_shape[-2:])}
        fits |= {tuple(in_shape[1:])} if len(in_shape) == 4 else set()
        if tuple(mask.shape) not in fits or len(in_shape) not in (3, 4):
            raise ValueError(
                "the `mask` must have shape (h, w) or (c, h, w) for an image of shape "
                f"{tuple(in_shape)}, got {tuple(mask.shape)}"
            )
        if not bool(mask.any()):
            raise ValueError("the `mask` must measure at least one pixel, got none")
        self.in_shape = self.out_shape = tuple(in_shape)
        self.measured = (mask > 0).expand(in_shape)
        self.weight = Constant(mask)
        self._power = self.weight if mask.dtype == torch.bool else Constant(mask**2)

    @classmethod
    def random(cls, in_shape: Shape, keep: float = 0.3, seed: int = 0) -> Self:
        """A fraction ``keep`` of the pixels, chosen at random, measured in all channels."""
        if not 0 < keep <= 1:
            raise ValueError(f"`keep` must lie in (0, 1], got {keep}")
        height, width = in_shape[-2:]
        require_room_for_images((height, width))
        order = torch.randperm(height * width, generator=torch.Generator().manual_seed(seed))
        kept = max(1, round(keep * height * width))
        return cls((order < kept).reshape(height, width), in_shape)

    @classmethod
    def box(
        cls,
        in_shape: Shape,
        size: int | tuple[int, int],
        position: tuple[int, int] | None = None,
    ) -> Self:
        """A rectangular hole, ``size`` a side or (height, width), centred by default.

        ``position`` is the row and column of its upper left corner.
        """
        height, width = in_shape[-2:]
        tall, wide = (size, size) if isinstance(size, int) else size
        top, left = position or ((height - tall) // 2, (width - wide) // 2)
        if min(tall, wide) < 1 or min(top, left) < 0 or top + tall > height or left + wide > width:
            raise ValueError(
                f"a hole of size ({tall}, {wide}) at position ({top}, {left}) does not lie within "
                f"the image of {height} by {width} pixels"
            )
        require_room_for_images((height, width))
        mask = torch.ones(height, width, dtype=torch.bool)
        mask[top : top + tall, left : left + wide] = False
        return cls(mask, in_shape)

    @classmethod
    def from_file(
        cls, path: str | Path, in_shape: Shape, *, invert: bool = False, soft: bool = False
    ) -> Self:
        """The mask in a file, white where measured: see ``invscore.operators.files``.

        ``invert``: white where not measured. ``soft``: gray values are weights, not a threshold.
        The mask is never resized: another size than the image's is a ``ValueError``.
        """
        mask = read_mask(path, invert=invert, soft=soft, image=in_shape)
        image = tuple(in_shape[-2:])
        if mask.ndim == 3 and mask.shape != in_shape and mask.movedim(-1, 0).shape == in_shape:
            mask = mask.movedim(-1, 0)
        if tuple(mask.shape) not in (image, tuple(in_shape)):
            raise ValueError(
                f"the mask {str(path)!r} must have the image's shape {image}, got "
                f"{tuple(mask.shape)}"
            )
        return cls(mask, in_shape)

    def has_hole(self, side: int) -> bool:
        """Whether a square of ``side`` pixels has none that is measured, in some channel.

        >>> from invscore.operators import Inpainting
        >>> operator = Inpainting.box((1, 16, 16), size=4)
        >>> operator.has_hole(4), operator.has_hole(5)
        (True, False)
        """
        mask = self.measured.to(torch.float32)
        return side <= min(mask.shape[-2:]) and bool((max_pool2d(mask, side, stride=1) == 0).any())

    def matvec(self, x: Tensor) -> Tensor:
        return x * self.weight.like(x)

    def rmatvec(self, y: Tensor) -> Tensor:
        return y * self.weight.like(y)

    def normal(self, x: Tensor) -> Tensor:
        return x * self._power.like(x)

    def svd(self, dtype: torch.dtype = torch.float32) -> SVD:
        return SVD(self.weight.at(dtype), unchanged, unchanged, unchanged, unchanged, complete=True)
