"""Frequency bands: the same sums and spectra by few operations and by little work."""

from __future__ import annotations

import pytest
import torch

from invscore.methods.gaussian_field import frequency_bands
from invscore.methods.gaussian_field.frequency_bands import FrequencyBands

SHAPES = [(1, 8, 8), (1, 7, 10), (3, 9, 6), (2, 1, 5), (2, 3, 8, 6), (12,), (1, 1, 1)]
F64 = torch.float64


def few_and_many(
    like: torch.Tensor, monkeypatch: pytest.MonkeyPatch
) -> tuple[FrequencyBands, FrequencyBands]:
    few = FrequencyBands(like)
    monkeypatch.setattr(frequency_bands, "FEW", 0)
    return few, FrequencyBands(like)


@pytest.mark.parametrize("shape", SHAPES)
def test_both_ways_give_the_same(shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    generator = torch.Generator().manual_seed(1)
    first, second = torch.randn(2, 3, *shape, dtype=F64, generator=generator)
    few, many = few_and_many(first, monkeypatch)
    assert few._few_operations == (len(shape) < 4)  # bands of volumes differ too much
    assert not many._few_operations
    torch.testing.assert_close(few.sums([first, second]), many.sums([first, second]))
    torch.testing.assert_close(few.sum(torch.ones_like(first)), few.numbers.expand(3, -1))
    torch.testing.assert_close(many.sum(torch.ones_like(first)), many.numbers.expand(3, -1))
    values = torch.rand(2, len(few.numbers), dtype=F64, generator=generator)
    assert torch.equal(few.spread(values), many.spread(values))


@pytest.mark.parametrize("shape", SHAPES)
def test_a_spectrum_of_bands_is_that_of_the_distance_from_0(
    shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    like = torch.zeros(1, *shape, dtype=F64)
    rows, columns = (torch.fft.fftfreq(n, dtype=F64) for n in (1, *shape)[-2:])
    across = torch.fft.fftfreq(shape[1] if len(shape) == 4 else 1, dtype=F64)
    wanted = torch.hypot(across[:, None, None], torch.hypot(rows[:, None], columns))
    wanted = (wanted if len(shape) == 4 else wanted[0]).expand(like.shape)
    for bands in few_and_many(like, monkeypatch):
        quarter = bands.radius.expand(1, bands.channels, -1, -1, -1)
        torch.testing.assert_close(bands.everywhere(quarter), wanted)
