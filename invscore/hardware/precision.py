"""The precision in which a network computes: float32, or bfloat16 where that is safe."""

from __future__ import annotations

import platform
from contextlib import AbstractContextManager, nullcontext
from typing import Literal

import torch

Precision = Literal["auto", "fp32", "bf16"]
"""While a network learns; ``auto`` takes bfloat16 where ``bfloat16_is_fast``."""

FixedPrecision = Literal["fp32", "bf16"]
"""While it is evaluated: a result should not depend on the machine."""


def autocast(precision: Precision, device: torch.device) -> torch.autocast:
    """The context of a forward pass: bfloat16 where that is safe, or float32 throughout."""
    half = precision == "bf16" or (precision == "auto" and bfloat16_is_fast(device))
    return torch.autocast(device.type, torch.bfloat16, enabled=half)


def evaluation(precision: FixedPrecision, device: torch.device) -> AbstractContextManager[object]:
    """The context in which a network is evaluated: as it is found where ``precision`` is fp32."""
    return autocast("bf16", device) if precision == "bf16" else nullcontext()


def fixed_precision(name: str) -> FixedPrecision:
    """The precision of that ``name``. Raises ``ValueError`` where there is none."""
    fixed: tuple[FixedPrecision, ...] = ("fp32", "bf16")
    for precision in fixed:
        if precision == name:
            return precision
    raise ValueError(f"`precision` must be fp32 or bf16, got {name!r}")


def precision_warnings(precision: FixedPrecision, device: torch.device) -> tuple[str, ...]:
    """A sentence where bfloat16 is asked of a device that emulates it."""
    if precision == "fp32" or bfloat16_is_fast(device):
        return ()
    return (
        f"`precision` bf16 is emulated by this {device.type}: fp32 is more exact and likely "
        "several times as fast",
    )


def bfloat16_is_fast(device: torch.device) -> bool:
    """Whether ``device`` has convolutions in bfloat16 that are no emulation.

    Without them, on x86 CPUs without AVX512_BF16 and on GPUs older than Ampere, a step of training
    in bfloat16 takes several times as long as in float32.
    """
    match device.type:
        case "cuda":
            with torch.cuda.device(device):
                return torch.cuda.is_bf16_supported(including_emulation=False)
        case "cpu":
            if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
                return False
            if platform.machine() in {"x86_64", "AMD64"}:  # oneDNN emulates it with AVX-512
                has_it = getattr(torch.cpu, "_is_avx512_bf16_supported", None)  # from torch 2.6 on
                return has_it is not None and bool(has_it())
            return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
    return False
