"""The precision in which a network computes while it learns."""

from __future__ import annotations

import platform

import torch

from invscore.training.config import Precision


def autocast(precision: Precision, device: torch.device) -> torch.autocast:
    """The context of a forward pass: bfloat16 where that is safe, or float32 throughout.

    ``auto`` takes bfloat16 where ``bfloat16_is_fast``.
    """
    half = precision == "bf16" or (precision == "auto" and bfloat16_is_fast(device))
    return torch.autocast(device.type, torch.bfloat16, enabled=half)


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
