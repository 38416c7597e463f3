"""Rounding the weights of a prior, so that its file compresses."""

from __future__ import annotations

import sys
import zlib
from pathlib import Path

import pytest
import torch

from invscore import load_prior
from invscore.plugins.modules import load_module

SCRIPT = Path(__file__).parents[2] / "configs/train/rounded.py"


@pytest.mark.parametrize("bits", [1, 6, 11])
def test_numbers_keep_their_size_and_few_bits(bits: int) -> None:
    weights = torch.randn(10_000, generator=torch.Generator().manual_seed(0))
    found = load_module(SCRIPT).rounded(weights, bits)
    assert float((found / weights - 1).abs().max()) <= 2.0**-bits
    significand, _ = torch.frexp(found)
    assert torch.equal(significand * 2**bits, (significand * 2**bits).round())


def test_a_prior_of_rounded_weights_is_smaller_and_says_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "digits.safetensors"
    monkeypatch.setattr(sys, "argv", ["rounded.py", "digits", str(out), "--bits", "5"])
    load_module(SCRIPT).main()
    before, after = load_prior("digits"), load_prior(out)
    stroke = torch.zeros(4, 1, 28, 28)
    stroke[..., 4:24, 12:15] = 1
    x = stroke + 0.3 * torch.randn(stroke.shape, generator=torch.Generator().manual_seed(0))
    found, expected = after.denoise(x, 0.3), before.denoise(x, 0.3)
    assert float((found - expected).std()) < 0.02 * float(expected.std())
    assert after.metadata["recipe"] == before.metadata["recipe"]
    assert len(zlib.compress(out.read_bytes())) < 0.8 * out.stat().st_size
