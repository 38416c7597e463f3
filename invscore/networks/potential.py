"""Scalar potentials, whose gradients are conservative fields."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from invscore.networks.attention import twice_differentiable


class Potential(nn.Module):
    """``psi(u; c) = <u, N(u; c)>`` of a network N from images to images, and its gradient.

    ``potential`` gives psi, (b,), for ``u`` of shape (b, c, h, w) and the noise coordinate of
    shape (b,); ``forward`` gives ``grad psi = N + (dN/du)^T u``, of the shape of ``u``, at the cost
    of a pass forwards and one backwards. It can be differentiated again, in ``u`` and in the
    weights, and works under ``torch.no_grad``. N must be smooth: twice differentiable where the
    gradient is.

    The inner product lets psi be any smooth function that is 0 at 0, a convolutional N makes it a
    sum over places (compare Cohen et al. 2021, Sec. 3.2).

    >>> import torch
    >>> from invscore.networks import Potential, UNet
    >>> potential = Potential(UNet(channels=1, widths=(8,), blocks=1))
    >>> x, noise = torch.rand(2, 1, 8, 8), torch.zeros(2)
    >>> potential(x, noise).shape
    torch.Size([2, 1, 8, 8])
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def potential(self, u: Tensor, noise: Tensor) -> Tensor:
        return (u * self.network(u, noise)).flatten(1).sum(dim=1)

    def forward(self, u: Tensor, noise: Tensor) -> Tensor:
        def total(u: Tensor) -> Tensor:
            return self.potential(u, noise).sum()

        # Unlike autograd.grad, it heeds the caller's gradient mode and needs no leaf.
        with twice_differentiable():
            return torch.func.grad(total)(u)
