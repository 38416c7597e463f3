"""Potentials and their gradients, in and out of gradient mode."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from invscore.networks import Potential, UNet, build_network

F64 = torch.float64
NOISE = torch.tensor([-0.5, 0.2], dtype=F64)


def potential() -> Potential:
    torch.manual_seed(0)
    network = UNet(1, widths=(4, 6), blocks=1, embedding=8)
    for module in network.modules():
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=0.5)
    nn.init.normal_(network.head.weight, std=0.3)
    return Potential(network.double())


def images(seed: int = 1) -> Tensor:
    return torch.randn(2, 1, 5, 6, generator=torch.Generator().manual_seed(seed), dtype=F64)


@torch.no_grad()
def test_the_field_is_the_gradient() -> None:
    psi, u, v = potential(), images(1), images(2)
    step = 1e-5
    change = psi.potential(u + step * v, NOISE) - psi.potential(u - step * v, NOISE)
    along = (psi(u, NOISE) * v).flatten(1).sum(dim=1)
    torch.testing.assert_close(along, change / (2 * step), rtol=1e-7, atol=1e-9)
    assert along.abs().min() > 1e-2


def test_a_linear_network_has_a_quadratic_potential() -> None:
    """N(u) = G u: psi = u^T G u and its gradient is (G + G^T) u."""
    layer = nn.Linear(6, 6, bias=False, dtype=F64)

    class Linear(nn.Module):
        def forward(self, u: Tensor, noise: Tensor) -> Tensor:  # noqa: ARG002
            return layer(u)

    u, gain = images(), layer.weight.detach()
    expected = (u @ (gain + gain.T)).detach()
    torch.testing.assert_close(Potential(Linear())(u, NOISE).detach(), expected)


def test_its_jacobian_is_symmetric() -> None:
    psi, u, v, w = potential(), images(1), images(2), images(3)
    leaf = u.clone().requires_grad_()
    field = psi(leaf, NOISE)
    (forth,) = torch.autograd.grad(field, leaf, v, retain_graph=True)
    (back,) = torch.autograd.grad(field, leaf, w)
    torch.testing.assert_close((forth * w).sum(), (back * v).sum())
    step = 1e-5
    change = (psi(u + step * v, NOISE) - psi(u - step * v, NOISE)).detach() / (2 * step)
    torch.testing.assert_close(forth, change, rtol=1e-6, atol=1e-8)


def test_gradient_mode_is_the_callers() -> None:
    psi, u = potential(), images()
    with torch.no_grad():
        silent = psi(u, NOISE)
    assert not silent.requires_grad
    loud = psi(u, NOISE)
    assert loud.requires_grad, "the weights have gradients"
    assert torch.equal(loud.detach(), silent)
    assert not psi.requires_grad_(False)(u, NOISE).requires_grad
    assert psi(u.requires_grad_(), NOISE).requires_grad


def test_every_weight_learns() -> None:
    psi = potential()
    psi(images(), NOISE).square().sum().backward()
    for name, w in psi.named_parameters():
        assert w.grad is not None, name
        assert w.grad.abs().max() > 0, name


def test_the_gradient_of_the_loss_in_the_weights() -> None:
    """Second derivatives against finite differences."""
    psi, u = potential(), images()
    loss = psi(u, NOISE).square().sum()
    weight = psi.network.stem.weight  # type: ignore[union-attr]
    (gradient,) = torch.autograd.grad(loss, weight)
    direction = torch.randn(weight.shape, generator=torch.Generator().manual_seed(5), dtype=F64)
    values = []
    with torch.no_grad():
        for step in (1e-5, -2e-5):
            weight += step * direction
            values.append(float(psi(u, NOISE).square().sum()))
    slope = (values[0] - values[1]) / 2e-5
    assert float((gradient * direction).sum()) == pytest.approx(slope, rel=1e-6)


def test_energies_by_name() -> None:
    made = build_network("unet", energy=True, widths=(4,), blocks=1)
    assert isinstance(made, Potential)
    assert isinstance(made.network, UNet)
    assert isinstance(build_network("unet", energy=False, widths=(4,), blocks=1), UNet)
