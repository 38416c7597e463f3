"""Fused convolutions: the plain network's numbers, and only where nobody follows them."""

from collections.abc import Callable, Sequence

import pytest
import torch
from torch import Tensor
from torch.autograd import forward_ad
from torch.func import jvp, vmap
from torch.nn.functional import conv2d, silu

from invscore.hardware.precision import bfloat16_is_fast
from invscore.networks import UNet, fused

pytestmark = pytest.mark.skipif(
    not fused.has_fused(), reason="this torch has no fused convolutions"
)
ROUNDING = 2e-6  # of numbers about 1, after a dozen convolutions


def network(widths: Sequence[int] = (8, 16), blocks: int = 2, **more: int) -> UNet:
    """A network all of whose weights matter."""
    torch.manual_seed(3)
    made = UNet(channels=1, widths=widths, blocks=blocks, embedding=16, **more)
    with torch.no_grad():
        for name, weight in made.named_parameters():
            if "film" in name or "head" in name or "bias" in name:
                weight.normal_(std=0.3)
    return made.requires_grad_(False)


def plain(made: UNet, x: Tensor, noise: Tensor, monkeypatch: pytest.MonkeyPatch) -> Tensor:
    with monkeypatch.context() as patch:
        patch.setattr(fused, "serves", lambda *_: False)
        answer: Tensor = made(x, noise)
        return answer


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How often a fused convolution was made."""
    made, real = [], fused.add_convolution

    def counted(*tensors: Tensor) -> Tensor:
        made.append(1)
        return real(*tensors)  # type: ignore[arg-type]

    monkeypatch.setattr(fused, "add_convolution", counted)
    return made


@pytest.mark.parametrize(
    ("widths", "shape"),
    [
        ((8, 16), (2, 1, 12, 10)),
        ((5, 7, 9), (1, 1, 16, 8)),
        ((16, 32), (3, 1, 33, 21)),
        ((4,), (1, 1, 1, 1)),
    ],
)
def test_it_is_the_plain_network(
    widths: Sequence[int],
    shape: tuple[int, ...],
    calls: list[int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made, x = network(widths), torch.randn(shape)
    noise = torch.full((shape[0],), -0.4)
    given = x.clone()
    wanted = plain(made, x, noise, monkeypatch)
    assert not calls
    assert float(wanted.std(correction=0)) > 0.1 or wanted.numel() == 1
    torch.testing.assert_close(made(x, noise), wanted, rtol=ROUNDING, atol=10 * ROUNDING)
    assert len(calls) == 2 * (2 * len(widths) - 1)
    assert torch.equal(x, given)


def test_attention_and_another_layout_of_memory(
    calls: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = network((8, 32), attention=1).to(memory_format=torch.contiguous_format)
    x, noise = torch.randn(2, 1, 8, 8), torch.zeros(2)
    wanted = plain(made, x, noise, monkeypatch)
    torch.testing.assert_close(made(x, noise), wanted, rtol=ROUNDING, atol=10 * ROUNDING)
    assert calls


def test_a_sum_and_an_activation_in_closed_form() -> None:
    layer = torch.nn.Conv2d(1, 1, 3, padding=1)
    with torch.no_grad():
        layer.weight.zero_()
        layer.weight[0, 0, 1, 1] = 2.0
        layer.bias.fill_(0.5)  # type: ignore[union-attr]
        x = torch.tensor([[[[0.0, 1.0], [-1.0, 3.0]]]])
        h = torch.full_like(x, 10.0)
        assert torch.allclose(fused.add_convolution(h, x, layer), 10.5 + 2 * x)
        found = fused.silu_of_convolution(x, layer.weight, layer.bias)  # type: ignore[arg-type]
    z = 2 * x + 0.5
    assert torch.allclose(found, z / (1 + (-z).exp()), rtol=1e-5)


def test_derivatives_levels_and_precisions_are_left_to_the_plain_network(calls: list[int]) -> None:
    made, x = network(), torch.randn(2, 1, 8, 8)
    noise = torch.zeros(2)
    made(x.clone().requires_grad_(), noise).sum().backward()
    made.requires_grad_(True)
    made(x, noise).sum().backward()
    made.requires_grad_(False)
    made(x, torch.tensor([0.0, 0.1]))
    made.double()(x.double(), noise.double())
    made.float()
    with torch.autocast("cpu", torch.float16):
        made(x, noise)
    with torch.backends.mkldnn.flags(enabled=False):
        made(x, noise)
    assert not calls
    made(x, noise)
    assert calls


@pytest.mark.skipif(not bfloat16_is_fast(torch.device("cpu")), reason="bfloat16 is emulated here")
def test_bfloat16_is_as_near_to_single_precision_as_the_plain_network(
    calls: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    made, x, noise = network((16, 32)), torch.randn(2, 1, 32, 32), torch.full((2,), -0.4)
    exact = plain(made, x, noise, monkeypatch)
    with torch.autocast("cpu", torch.bfloat16):
        wanted = plain(made, x, noise, monkeypatch)
        assert not calls
        found = made(x, noise)
    assert calls
    assert found.dtype == wanted.dtype == torch.bfloat16
    error = (wanted.float() - exact).square().mean()
    assert 0 < (found.float() - exact).square().mean() < 2 * error


def test_bfloat16_that_is_emulated_is_left_to_the_plain_network(
    calls: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fused, "bfloat16_is_fast", lambda _: False)
    with torch.autocast("cpu", torch.bfloat16):
        network()(torch.randn(1, 1, 8, 8), torch.zeros(1))
    assert not calls


def test_transforms_are_followed(calls: list[int]) -> None:
    made, x, noise = network(), torch.randn(2, 1, 8, 8), torch.zeros(2)
    value, slope = jvp(lambda z: made(z, noise), (x,), (torch.ones_like(x),))
    step = 1e-2
    ahead, behind = (
        made.double()(x.double() + step, noise.double()),
        made(x.double() - step, noise.double()),
    )
    made.float()
    torch.testing.assert_close(slope.double(), (ahead - behind) / (2 * step), rtol=0.02, atol=0.02)
    with torch.no_grad(), forward_ad.dual_level():
        dual = made(forward_ad.make_dual(x, torch.ones_like(x)), noise)
        found = forward_ad.unpack_dual(dual).tangent
    torch.testing.assert_close(found, slope, rtol=1e-4, atol=1e-4)
    with torch.no_grad():
        each = vmap(lambda z: made(z[None], noise[:1])[0])(x)
    torch.testing.assert_close(each, value, rtol=1e-4, atol=1e-4)
    assert not calls


def test_a_trace_has_operations_that_others_know() -> None:
    made, x, noise = network(), torch.randn(1, 1, 8, 8), torch.zeros(1)
    with torch.no_grad():
        graph = str(torch.jit.trace(made, (x, noise), check_trace=False).inlined_graph)
    assert "mkldnn" not in graph


def _fails(*_: object) -> Tensor:
    raise RuntimeError("no such operation")


def _nearly(h: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return silu(conv2d(h, weight, bias, padding=1)) + 1e-3


@pytest.mark.parametrize("other", [_fails, _nearly])
def test_operations_that_fail_or_mean_something_else_are_not_used(
    other: Callable[..., Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    fused.has_fused.cache_clear()
    monkeypatch.setattr(fused, "silu_of_convolution", other)
    assert not fused.has_fused()
    monkeypatch.undo()
    fused.has_fused.cache_clear()
    assert fused.has_fused()
