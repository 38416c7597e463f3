"""bfloat16 is taken where it is asked for, or where it is fast."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from invscore.training import precision
from invscore.training.precision import autocast, bfloat16_is_fast

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
def test_an_x86_cpu_is_asked_for_its_instructions(
    monkeypatch: pytest.MonkeyPatch, has_it: bool
) -> None:
    """oneDNN says that it supports bfloat16 with AVX-512 alone, where it emulates it."""
    monkeypatch.setattr(precision.platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: True)
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: True)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: has_it)
    assert bfloat16_is_fast(CPU) is has_it


@pytest.mark.parametrize("has_it", [True, False])
def test_another_cpu_is_asked_for_its_kernels(
    monkeypatch: pytest.MonkeyPatch, has_it: bool
) -> None:
    monkeypatch.setattr(precision.platform, "machine", lambda: "aarch64")
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: True)
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: has_it)
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
