"""Self-attention between the places of an image."""

from __future__ import annotations

from contextlib import AbstractContextManager

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import rms_norm, scaled_dot_product_attention

HEAD = 32  # channels a head


def twice_differentiable() -> AbstractContextManager[None]:
    """Within it, what is computed by attention can be differentiated twice, as losses of a
    derivative are: the derivatives of the fast kernels have none. Takes more memory."""
    return sdpa_kernel(SDPBackend.MATH)


class SelfAttention(nn.Module):
    """``h + conv(softmax(q k^T / sqrt(d)) v)`` with q, k, v from 1 x 1 convolutions of h.

    Every place sees all others: the work grows with the square of their number. Queries and keys
    are brought to unit root mean square, with a learned gain, in place of the normalisation that
    the network lacks (Dehghani et al. 2023, Sec. 2). Raises ``ValueError`` for a width that has no
    whole heads.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.heads = max(1, width // HEAD)
        if width % self.heads:
            raise ValueError(
                f"the width must be a multiple of {HEAD}, the width of a head, got {width}"
            )
        self.qkv = nn.Conv2d(width, 3 * width, 1)
        self.gain = nn.Parameter(torch.ones(width // self.heads))
        self.out = nn.Conv2d(width, width, 1)
        nn.init.normal_(self.out.weight, std=0.1 * width**-0.5)  # as in a residual block
        nn.init.zeros_(self.out.bias)  # type: ignore[arg-type]

    def forward(self, h: Tensor, embedding: Tensor) -> Tensor:  # noqa: ARG002
        """Of the shape of ``h``, (b, width, *, *); the noise level is known to ``h`` already."""
        b, _, height, width = h.shape
        qkv = self.qkv(h).reshape(b, 3, self.heads, -1, height * width).transpose(3, 4)
        q, k, v = qkv.unbind(1)
        q, k = (rms_norm(t, self.gain.shape, eps=1e-6) for t in (q, k))
        mixed = scaled_dot_product_attention(self.gain * q, k, v)
        return h + self.out(mixed.transpose(2, 3).reshape(h.shape))
