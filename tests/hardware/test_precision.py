"""bfloat16 is taken where it is asked for, or where it is fast."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from invscore.hardware import precision
from invscore.hardware.precision import autocast, bfloat16_is_fast

CPU = torch.device("cpu")


def computed_in(name: Any) -> torch.dtype:
    """The type of a product under ``autocast``."""
    with autocast(name, CPU):
        return (torch.ones(2, 2) @ torch.ones(2, 2)).dtype


def test_what_is_asked_for_is_done() -> None:
    assert computed_in("bf16") == torch.bfloat16
    assert computed_in("fp32") == torch.float32


@pytest.mark.parametrize(("fast", "dtype"), [(True, torch.bfloat16), (False, torch.float32)])
def test_auto_takes_what_is_fast(
    monkeypatch: pytest.MonkeyPatch, fast: bool, dtype: torch.dtype
) -> None:
    asked = []
    monkeypatch.setattr(precision, "bfloat16_is_fast", lambda device: asked.append(device) or fast)
    assert computed_in("auto") == dtype
    assert asked == [CPU]


@pytest.mark.parametrize("has_it", [True, False])
@pytest.mark.parametrize(
    ("machine", "kernels", "instructions"),
    [("x86_64", True, None), ("aarch64", None, False)],
    ids=["x86 by its instructions", "others by their kernels"],
)
def test_a_cpu_is_asked(
    monkeypatch: pytest.MonkeyPatch,
    machine: str,
    kernels: bool | None,
    instructions: bool | None,
    has_it: bool,
) -> None:
    """oneDNN says that it supports bfloat16 with AVX-512 alone, where it emulates it. ``None``
    stands for what is asked, and answers ``has_it``."""

    def answer(fixed: bool | None) -> bool:
        return has_it if fixed is None else fixed

    monkeypatch.setattr(precision.platform, "machine", lambda: machine)
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: True)
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: answer(kernels))
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: answer(instructions))
    assert bfloat16_is_fast(CPU) is has_it


def test_without_onednn_it_is_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: True)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True)
    assert not bfloat16_is_fast(CPU)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_is_asked_for_its_generation() -> None:
    device = torch.device("cuda")
    assert bfloat16_is_fast(device) == (torch.cuda.get_device_capability(device)[0] >= 8)


def test_an_unknown_device_keeps_float32() -> None:
    assert not bfloat16_is_fast(torch.device("meta"))
