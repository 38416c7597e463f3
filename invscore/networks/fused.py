"""Convolutions of a CPU that take along what follows them: one pass over memory in place of three.

By the operations of oneDNN in which torch's own compiler fuses networks. They know no gradients and
no transforms, and a build of torch may lack them: ``serves`` says where they may be used, and the
plain network gives the same numbers to rounding.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor, nn
from torch.autograd import forward_ad
from torch.nn.functional import conv2d, silu

from invscore.hardware.precision import bfloat16_is_fast

EQUAL = 1e-4
"""Most by which a fused convolution of numbers about 1 may differ from a plain one: rounding comes
to 1e-6, and a torch whose operations mean something else is not trusted."""

ONES, ONE_GROUP = [1, 1], 1
"""Padding, stride and dilation of a 3 x 3 convolution that keeps the size."""


def silu_of_convolution(h: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """``silu(conv(h))`` of 3 x 3 weights, of the size and in the precision of ``h``."""
    pointwise = torch.ops.mkldnn._convolution_pointwise.default
    weights = (weight.to(h.dtype), bias.to(h.dtype))
    made: Tensor = pointwise(h, *weights, ONES, ONES, ONES, ONE_GROUP, "swish", [], "")
    return made


def add_convolution(h: Tensor, x: Tensor, layer: nn.Conv2d) -> Tensor:
    """``h + layer(x)``, in the memory of ``h``, for a ``layer`` of 3 x 3 that keeps the size."""
    pointwise = torch.ops.mkldnn._convolution_pointwise_.binary
    assert layer.bias is not None
    weights = (layer.weight.to(h.dtype), layer.bias.to(h.dtype))
    made: Tensor = pointwise(
        h, x, *weights, ONES, ONES, ONES, ONE_GROUP, "add", 1.0, None, [], None
    )
    return made


def serves(network: nn.Module, x: Tensor, noise: Tensor) -> bool:
    """Whether ``network`` may be evaluated so at ``x`` (b, c, h, w) and ``noise`` (b,).

    Single precision on a CPU, or bfloat16 where that is fast, one level of noise for all images,
    and nobody who follows what is computed: no gradient, transform, trace or other kind of tensor.
    """
    return bool(
        not _followed()
        and has_fused()
        and type(x) is Tensor
        and x.device.type == "cpu"
        and x.dtype == torch.float32
        and len(x) > 0
        and _precise_enough()
        and torch.backends.mkldnn.enabled
        and not _differentiated(network, x, noise)
        and next(network.parameters()).dtype == torch.float32
        and (noise == noise[0]).all()
    )


@lru_cache(maxsize=1)
def has_fused() -> bool:
    """Whether this torch has the fused convolutions, tried once on small numbers."""
    try:
        single = {"device": "cpu", "dtype": torch.float32}
        layer = nn.Conv2d(8, 8, 3, padding=1, **single)  # type: ignore[arg-type]
        layer = layer.to(memory_format=torch.channels_last)
        values = torch.arange(8 * 8 * 3 * 3, **single).cos()  # type: ignore[call-overload]
        with torch.no_grad():
            layer.weight.copy_(values.view_as(layer.weight))
            h = torch.arange(8 * 6 * 5, **single).sin().view(1, 8, 6, 5)  # type: ignore[call-overload]
            h = h.contiguous(memory_format=torch.channels_last)
            wanted = silu(conv2d(h, layer.weight, layer.bias, padding=1))
            found = silu_of_convolution(h, layer.weight, layer.bias)  # type: ignore[arg-type]
            sums = add_convolution(h.clone(), wanted, layer)
            differences = (found - wanted, sums - (h + layer(wanted)))
        return all(float(each.abs().max()) < EQUAL for each in differences)
    except (AttributeError, RuntimeError, TypeError):
        return False


def _followed() -> bool:
    """Whether somebody looks at the operations as they are made, not at the result alone.

    Also where this torch does not tell.
    """
    try:
        return bool(
            torch.jit.is_tracing()  # type: ignore[attr-defined, no-untyped-call]
            or torch.compiler.is_compiling()
            or torch.overrides._get_current_function_mode_stack()  # type: ignore[no-untyped-call]
            or torch.utils._python_dispatch._get_current_dispatch_mode() is not None
            or torch._C._are_functorch_transforms_active()
            or forward_ad._current_level >= 0
        )
    except AttributeError:
        return True


def _precise_enough() -> bool:
    """Whether convolutions are in single precision, or in a bfloat16 that is no emulation."""
    if not torch.is_autocast_enabled("cpu"):
        return True
    half = torch.get_autocast_dtype("cpu") == torch.bfloat16
    return half and bfloat16_is_fast(torch.device("cpu"))


def _differentiated(network: nn.Module, x: Tensor, noise: Tensor) -> bool:
    if not torch.is_grad_enabled():
        return False
    inputs = x.requires_grad or noise.requires_grad
    return inputs or any(weight.requires_grad for weight in network.parameters())
