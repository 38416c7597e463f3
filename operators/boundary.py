"""Images continued beyond their borders by mirroring."""

from __future__ import annotations

import torch
from torch import Tensor


def mirrored(positions: Tensor, size: int) -> Tensor:
    """The pixels that integer ``positions`` beyond a line of ``size`` pixels are copies of.

    The mirror stands at the edge of the outermost pixel, which is repeated: c b a a b c c b a.
    """
    positions = positions % (2 * size)
    return torch.minimum(positions, 2 * size - 1 - positions)
