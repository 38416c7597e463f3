"""Self-attention against its formula."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from invscore.networks import Potential, UNet
from invscore.networks.attention import SelfAttention, twice_differentiable

F64 = torch.float64


def filled(module: nn.Module) -> nn.Module:
    torch.manual_seed(0)
    for w in module.parameters():
        nn.init.normal_(w, std=0.3)
    return module.double()


@pytest.mark.parametrize(("width", "heads"), [(6, 1), (32, 1), (64, 2)])
@torch.no_grad()
def test_by_its_formula(width: int, heads: int) -> None:
    attention = SelfAttention(width)
    filled(attention)
    h = torch.randn(2, width, 3, 5, dtype=F64)
    places = h.flatten(2).transpose(1, 2)  # (b, places, width)
    matrix = attention.qkv.weight[:, :, 0, 0]
    q, k, v = (places @ matrix.T + attention.qkv.bias).chunk(3, dim=2)

    def unit(t: Tensor) -> Tensor:
        return t / (t.square().mean(dim=-1, keepdim=True) + 1e-6).sqrt()

    mixed = []
    d = width // heads
    for head in range(heads):
        part = slice(head * d, (head + 1) * d)
        queries, keys = attention.gain * unit(q[..., part]), unit(k[..., part])
        chances = (queries @ keys.transpose(1, 2) / d**0.5).softmax(dim=2)
        mixed.append(chances @ v[..., part])
    out = torch.cat(mixed, dim=2) @ attention.out.weight[:, :, 0, 0].T + attention.out.bias
    expected = h + out.transpose(1, 2).reshape(h.shape)
    torch.testing.assert_close(attention(h, torch.zeros(2, 1, dtype=F64)), expected)


def test_widths_without_whole_heads() -> None:
    with pytest.raises(ValueError, match=r"width must be a multiple of 32, .*, got 65"):
        SelfAttention(65)


@pytest.mark.parametrize(
    ("attention", "widths"), [(0, []), (1, [8]), (2, [4, 8, 4]), (3, [4, 4, 8, 4, 4])]
)
def test_which_resolutions_have_it(attention: int, widths: list[int]) -> None:
    net = UNet(1, widths=(4, 4, 8), blocks=1, embedding=8, attention=attention)
    found = [m.qkv.in_channels for m in net.modules() if isinstance(m, SelfAttention)]
    assert found == widths, "encoder, bottom, decoder"
    filled(net)
    x, noise = torch.randn(2, 1, 9, 6, dtype=F64), torch.zeros(2, dtype=F64)
    assert net(x, noise).shape == x.shape
    net(x, noise).square().sum().backward()
    assert all(w.grad is not None and w.grad.abs().max() > 0 for w in net.parameters())


@pytest.mark.parametrize("attention", [-1, 4])
def test_refused_numbers_of_resolutions(attention: int) -> None:
    with pytest.raises(
        ValueError, match=f"`attention` must lie between 0 and .* 3, got {attention}"
    ):
        UNet(1, widths=(4, 4, 8), blocks=1, attention=attention)


def test_it_sees_the_whole_image() -> None:
    net = filled(UNet(1, widths=(4, 6), blocks=1, embedding=8, attention=1))
    x, noise = torch.randn(1, 1, 64, 64, dtype=F64), torch.zeros(1, dtype=F64)
    other = x.clone()
    other[..., -1, -1] += 10
    change = (net(x, noise) - net(other, noise)).abs()
    assert change[..., :8, :8].max() > 1e-8


def test_its_derivative_can_be_differentiated() -> None:
    """By differences of ``J^T v``, which is a gradient: its own Jacobian is symmetric."""
    # As in the UNet: in another layout no fast kernel is taken anyway.
    attention = filled(SelfAttention(6)).to(memory_format=torch.channels_last)
    h, v = torch.randn(2, 1, 6, 2, 3, dtype=F64)

    def slope(h: Tensor) -> Tensor:
        with twice_differentiable():
            return torch.func.vjp(lambda h: attention(h, h), h)[1](v)[0]

    leaf, step = h.clone().requires_grad_(), 1e-4
    (found,) = torch.autograd.grad(slope(leaf), leaf, v)
    expected = (slope(h + step * v) - slope(h - step * v)) / (2 * step)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


def test_energies_with_attention_learn() -> None:
    psi = Potential(filled(UNet(1, widths=(4, 6), blocks=1, embedding=8, attention=1)))
    u, v, w = torch.randn(3, 2, 1, 6, 7, dtype=F64).unbind()
    noise = torch.zeros(2, dtype=F64)
    leaf = u.requires_grad_()
    field = psi(leaf, noise)
    (forth,) = torch.autograd.grad(field, leaf, v, retain_graph=True)
    (back,) = torch.autograd.grad(field, leaf, w, retain_graph=True)
    torch.testing.assert_close((forth * w).sum(), (back * v).sum())
    field.square().sum().backward()
    assert all(w.grad is not None for w in psi.parameters())


@pytest.mark.filterwarnings("error")
def test_mixed_precision() -> None:
    attention, h = SelfAttention(32), torch.randn(2, 32, 3, 4)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = attention(h, torch.zeros(2, 1))
    torch.testing.assert_close(mixed.float(), attention(h, torch.zeros(2, 1)), rtol=0, atol=0.05)
